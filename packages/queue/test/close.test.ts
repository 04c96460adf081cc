import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { Database } from '@howdah/core'
import { startProxy } from '@howdah/testkit'
import pg from 'pg'
import { describe, expect, onTestFinished, test } from 'vitest'
import { type Job, Queue } from '../src/index.js'
import { Bench, deferred } from './support.js'

const bench = new Bench()

describe('close()', () => {
  test('waits for the jobs that run', async () => {
    const jobs = bench.queue<number>()
    let done = false
    let finish: (() => void) | undefined
    const worker = jobs.work(async () => {
      await new Promise<void>((resolve) => (finish = resolve))
      done = true
    })
    await jobs.add(1)
    await expect.poll(() => finish).toBeDefined()
    const closing = worker.close()
    finish?.()
    await closing
    expect(done).toBe(true)
    expect(await jobs.stats()).toMatchObject({ waiting: 0, delayed: 0, running: 0, dead: 0 })
  })

  test('hands back what does not end in time, with no attempt counted', async () => {
    const jobs = bench.queue<number>({ attempts: 1 })
    let signal: AbortSignal | undefined
    const worker = jobs.work((job) => {
      signal = job.signal
      return new Promise<void>(() => {})
    })
    await jobs.add(1)
    await expect.poll(() => signal).toBeDefined()
    await worker.close({ withinMs: 0 })
    expect(signal?.aborted).toBe(true)
    expect(await jobs.stats()).toMatchObject({ waiting: 1, running: 0, dead: 0 })
    const seen: number[] = []
    jobs.work((job) => seen.push(job.attempt))
    await expect.poll(() => seen).toEqual([1])
  })

  test('counts a job once that was handed back while its handler went on', async () => {
    const jobs = bench.queue<number>({ attempts: 1 })
    const finish = deferred()
    const started = deferred<Job<number>>()
    const worker = jobs.work(
      (job) => {
        started.resolve(job)
        return finish.promise
      },
      { concurrency: 2 },
    )
    await jobs.add(1)
    const job = await started.promise
    const lock = await bench.pool.connect()
    // What it was handed back with stays under way until this ends.
    await lock.query('begin')
    await lock.query('select 1 from howdah.queue_lease for update')
    const closing = worker.close({ withinMs: 0 })
    await expect.poll(() => job.ended).toBe(true)
    finish.resolve()
    await expect(job.complete({ client: lock })).rejects.toMatchObject({ code: 'QUEUE_LEASE_LOST' })
    await lock.query('rollback')
    lock.release()
    await closing
    expect(await jobs.stats()).toMatchObject({ waiting: 1, running: 0, dead: 0 })
  })

  test('leaves to its transaction a job that is being completed', async () => {
    const jobs = bench.queue<number>()
    const written = deferred()
    const client = await bench.pool.connect()
    const worker = jobs.work(
      async (job) => {
        await client.query('begin')
        await job.complete({ client, output: 'in time' })
        written.resolve()
        await new Promise(() => {})
      },
      { lease: 500 },
    )
    const id = await jobs.add(1)
    await written.promise
    await worker.close({ withinMs: 0 })
    // It did not try to give it back, which would have to wait for the transaction.
    expect(
      await bench.rows(
        `select query from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`,
      ),
    ).toEqual([])
    await client.query('commit')
    client.release()
    const runs: number[] = []
    jobs.work((job) => void runs.push(job.payload), { lease: 500, pollInterval: 10 })
    expect(await jobs.result(id)).toBe('in time')
    expect(runs).toEqual([])
  })

  test('ends within its limits where the server does not answer', { timeout: 60_000 }, async () => {
    const { hostname, port } = new URL(bench.database.url)
    const proxy = await startProxy({ host: hostname, port: Number(port) })
    const pool = new pg.Pool({ connectionString: proxy.url(bench.database.url), max: 3 })
    pool.on('error', () => {})
    const jobs = new Queue<number>(bench.fresh(), { pool })
    let ran = 0
    const worker = jobs.work(() => void ran++, { lease: 1_000 })
    await jobs.add(1)
    await expect.poll(() => ran).toBe(1)
    proxy.freeze()
    await worker.close({ withinMs: 100 })
    proxy.cut()
    proxy.thaw()
    await jobs.close()
    await Database.from(pool).close()
    await pool.end()
    await proxy.close()
  })

  test('leaves nothing that keeps the process alive', { timeout: 60_000 }, async () => {
    const name = bench.fresh()
    const jobs = bench.queue<number>({}, name)
    const ids = await jobs.addMany([1, 2, 3])
    const file = fileURLToPath(new URL('fixtures/leaving-worker.ts', import.meta.url))
    const child = spawn(process.execPath, ['--import', 'tsx', file, bench.database.url, name], {
      stdio: 'inherit',
    })
    onTestFinished(() => void child.kill('SIGKILL'))
    const [code] = await once(child, 'exit')
    expect(code).toBe(0)
    for (const id of ids) expect((await jobs.get(id))?.state).toBe('completed')
    expect(
      await bench.rows(
        'select 1 from howdah.queue_worker w join howdah.queue q on q.id = w.queue and q.name = $1',
        [name],
      ),
    ).toEqual([])
  })
})
