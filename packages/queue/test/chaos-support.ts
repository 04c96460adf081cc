import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as later } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Database } from '@howdah/core'
import { type PostgresServer, waitFor } from '@howdah/testkit'
import pg from 'pg'
import { Queue } from '../src/index.js'
import type { ChaosJob } from './fixtures/chaos-worker.js'

const LEASE_MS = 1_000
const WORKERS = 3
const PRODUCERS = 6

/** What was done to everybody. */
export interface Faults {
  kills: number
  freezes: number
  crashes: number
}

/** What came out. */
export interface Outcome extends Faults {
  /** Workers whose process ended without anybody killing it. */
  readonly diedByThemselves: number
  readonly committed: number
  readonly rolledBack: number
  /** Jobs that are not there though their adding was committed. */
  readonly lost: number
  /** Jobs that are there though their transaction rolled back, or twice. */
  readonly extra: number
  readonly withoutEnd: number
  readonly endedTwice: number
  /** Effects in the transaction that completed the job, that are not there exactly once. */
  readonly inexact: number
  readonly withoutEffect: number
  readonly reruns: number
}

/** Produces jobs, lets processes work on them, and breaks things until all jobs are made; then waits for the last to end. */
export async function chaos(
  server: PostgresServer,
  jobs: number,
  random: () => number,
): Promise<Outcome> {
  const { url } = await server.createDatabase()
  const pool = new pg.Pool({ connectionString: url, max: PRODUCERS + 6 })
  pool.on('error', () => {})
  const name = 'chaos'
  const queue = new Queue<ChaosJob>(name, { pool, attempts: 50, maxCrashes: 100, backoff: 10 })
  await retry(() => queue.stats())
  await pool.query('create table produced (n int primary key)')
  await pool.query('create table effect (n int, job bigint)')
  const acknowledged = new Set<number>()
  const refused = new Set<number>()
  const workers = Array.from({ length: WORKERS }, () => spawnWorker(url, name, random))
  const faults: Faults = { kills: 0, freezes: 0, crashes: 0 }
  const died = () => workers.filter(({ child }) => child.exitCode !== null).length
  let producing = true
  let next = 0
  const producers = Array.from({ length: PRODUCERS }, async () => {
    while (next < jobs) {
      const count = 1 + Math.floor(random() * 40)
      const batch = Array.from({ length: count }, () => make(next++, random))
      const committed = await produce(pool, queue, batch, random).catch(() => undefined)
      // Of what failed nobody knows whether it was committed, unless the transaction was to roll back.
      await later(random() * 30)
      if (committed === undefined) continue
      for (const { n } of batch) (committed ? acknowledged : refused).add(n)
    }
  })
  const breaking = (async () => {
    while ((producing && died() === 0) || faults.kills * faults.freezes * faults.crashes === 0) {
      await later(150 + random() * 500)
      await breakSomething(server, workers, () => spawnWorker(url, name, random), faults, random)
    }
  })()
  await Promise.all(producers)
  producing = false
  await breaking
  await waitFor(
    async () => {
      const stats = await queue.stats().catch(() => undefined)
      return stats !== undefined && stats.waiting + stats.delayed + stats.running === 0
    },
    { timeout: 300_000 },
  )
  const outcome = await look(pool, acknowledged, refused, faults, died())
  for (const { child } of workers) child.kill('SIGKILL')
  await queue.close()
  await Database.from(pool).close()
  await pool.end()
  return outcome
}

function make(n: number, random: () => number): ChaosJob {
  const roll = random()
  return { n, tx: n % 3 === 0, failures: roll < 0.1 ? 1 + Math.floor(roll * 20) : 0 }
}

/** Adds in one of several ways; answers whether it was committed. */
async function produce(
  pool: pg.Pool,
  queue: Queue<ChaosJob>,
  batch: ChaosJob[],
  random: () => number,
): Promise<boolean> {
  const way = random()
  if (way < 0.2) {
    await Promise.all(batch.map((job) => queue.add(job)))
    return true
  }
  if (way < 0.4) {
    await queue.addMany(batch)
    return true
  }
  const client = await pool.connect()
  const onError = () => {}
  client.on('error', onError)
  let broken: Error | undefined
  try {
    await client.query('begin')
    await queue.addMany(batch.slice(1), { client })
    if (way < 0.6) {
      await client.query('savepoint s')
      await queue.add({ ...(batch[0] as ChaosJob), n: -1 }, { client })
      await client.query('rollback to savepoint s')
    }
    await queue.add(batch[0] as ChaosJob, { client })
    // Others draw later numbers and commit before.
    if (way > 0.6) await later(random() * 60)
    const commit = way < 0.85
    await client.query(commit ? 'commit' : 'rollback')
    return commit
  } catch (error) {
    broken = error as Error
    throw error
  } finally {
    client.off('error', onError)
    client.release(broken)
  }
}

interface WorkerProcess {
  child: ChildProcess
}

function spawnWorker(url: string, name: string, random: () => number): WorkerProcess {
  const file = fileURLToPath(new URL('fixtures/chaos-worker.ts', import.meta.url))
  const concurrency = String(1 + Math.floor(random() * 60))
  const child = spawn(
    process.execPath,
    ['--import', 'tsx', file, url, name, concurrency, String(LEASE_MS)],
    { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] },
  )
  return { child }
}

async function breakSomething(
  server: PostgresServer,
  workers: WorkerProcess[],
  respawn: () => WorkerProcess,
  faults: Faults,
  random: () => number,
): Promise<void> {
  const at = Math.floor(random() * workers.length)
  const worker = workers[at] as WorkerProcess
  const some = faults.kills * faults.freezes * faults.crashes > 0
  const roll = some ? random() : faults.kills === 0 ? 0 : faults.freezes === 0 ? 0.6 : 0.9
  if (roll < 0.5) {
    faults.kills++
    const ended = once(worker.child, 'exit')
    worker.child.kill('SIGKILL')
    await ended
    workers[at] = respawn()
  } else if (roll < 0.8) {
    faults.freezes++
    worker.child.kill('SIGSTOP')
    // Longer than its lease: others take its jobs, and it comes back to find them taken.
    await later(LEASE_MS * 2.5)
    worker.child.kill('SIGCONT')
  } else {
    faults.crashes++
    await server.kill()
    await server.start()
  }
}

async function look(
  pool: pg.Pool,
  acknowledged: ReadonlySet<number>,
  refused: ReadonlySet<number>,
  faults: Faults,
  diedByThemselves: number,
): Promise<Outcome> {
  const { rows } = await pool.query<{
    n: number
    tx: boolean
    bodies: number
    ends: number
    effects: number
  }>(
    `with ends as (
       select id, count(*) as ends from (
         select i as id from howdah.queue_done d cross join unnest(d.ids) as i union all select id from howdah.queue_result
       ) e group by id
     ), effects as (select job, count(*) as effects from effect group by job)
     select (j.payload ->> 'n')::int as n, (j.payload ->> 'tx')::boolean as tx, count(*)::int as bodies,
       coalesce(sum(e.ends), 0)::int as ends, coalesce(sum(f.effects), 0)::int as effects
     from howdah.queue_job j left join ends e on e.id = j.id left join effects f on f.job = j.id
     group by 1, 2`,
  )
  const there = new Map(rows.map((row) => [row.n, row]))
  const count = (test: (row: (typeof rows)[number]) => boolean) => rows.filter(test).length
  return {
    ...faults,
    diedByThemselves,
    committed: acknowledged.size,
    rolledBack: refused.size,
    lost: [...acknowledged].filter((n) => !there.has(n)).length,
    extra: count((row) => row.bodies !== 1 || refused.has(row.n) || row.n < 0),
    withoutEnd: count((row) => row.ends === 0),
    endedTwice: count((row) => row.ends > 1),
    inexact: count((row) => row.tx && row.effects !== 1),
    withoutEffect: count((row) => row.effects === 0),
    reruns: rows.reduce((sum, row) => sum + Math.max(0, row.effects - 1), 0),
  }
}

async function retry<T>(fn: () => Promise<T>): Promise<T> {
  let result: T | undefined
  await waitFor(async () => {
    result = await fn()
    return true
  })
  return result as T
}

/** Random numbers from a seed. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}
