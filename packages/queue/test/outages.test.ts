import { PGlite } from '@electric-sql/pglite'
import { Database } from '@howdah/core'
import { findPgBouncer, startPgBouncer, startPostgres, startProxy } from '@howdah/testkit'
import pg from 'pg'
import { describe, expect, test } from 'vitest'
import { notTested } from '../../../scripts/not-tested.js'
import { Queue } from '../src/index.js'
import { Bench, deferred } from './support.js'

const bench = new Bench()

test('an event loop that is blocked for three leases loses no running job', async () => {
  const jobs = bench.queue<number>()
  const started = deferred<string>()
  const attempts: number[] = []
  const errors: unknown[] = []
  const worker = jobs.work(
    async (job) => {
      attempts.push(job.attempt)
      started.resolve(job.id)
      await finish.promise
    },
    { lease: 500 },
  )
  const finish = deferred()
  worker.on('error', (error) => errors.push(error))
  const id = await jobs.add(1)
  await started.promise
  await expect.poll(() => worker.heartbeatOffThread).toBe(true)
  // Another session rescues all the while, as workers of other processes would; it runs in the server, for nothing runs here.
  const rescuer = bench.pool.query(
    `do $$ begin for n in 1 .. 40 loop perform howdah.queue_rescue(0); commit; perform pg_sleep(0.05); end loop; end $$`,
  )
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1_600)
  finish.resolve()
  await rescuer
  await jobs.result(id)
  expect(attempts).toEqual([1])
  expect(errors).toEqual([])
  expect((await jobs.get(id))?.crashes).toBe(0)
})

/** Adds and works until a job of each round has been done. */
async function exercise(jobs: Queue<number, number>): Promise<void> {
  jobs.work((job) => job.payload * 2, { pollInterval: 50 })
  const ids = await jobs.addMany([1, 2, 3])
  ids.push(await jobs.add(4, { delay: 20 }), await jobs.add(5, { key: 'k', priority: 3 }))
  const outputs = await Promise.all(ids.map((id) => jobs.result(id, { timeout: '20s' })))
  expect(outputs).toEqual([2, 4, 6, 8, 10])
  expect(await jobs.stats()).toMatchObject({ waiting: 0, running: 0, delayed: 0 })
}

const bouncerThere = findPgBouncer() !== undefined
if (!bouncerThere) notTested('the queue behind PgBouncer', 'there is no pgbouncer on this machine')

test.runIf(bouncerThere)('workers work behind PgBouncer in transaction mode', async () => {
  await using bouncer = await startPgBouncer({
    url: bench.database.url,
    poolMode: 'transaction',
    settings: { default_pool_size: 4 },
  })
  const pool = new pg.Pool({ connectionString: bouncer.url })
  const db = Database.from(pool, { prepare: false })
  const jobs = bench.queue<number, number>({ pool: db })
  await exercise(jobs)
  await jobs.close()
  await db.close()
  await pool.end()
})

test('workers work without any LISTEN, in a schema of any name, on PGlite', {
  timeout: 90_000,
}, async () => {
  const silent = Database.from(bench.database.pool(), { listen: false, schema: 'silent' })
  await exercise(bench.queue<number, number>({ pool: silent }))
  const odd = Database.from(bench.database.pool(), { schema: 'we "ird\'; --' })
  await exercise(bench.queue<number, number>({ pool: odd }))
  const pglite = new PGlite()
  const inside = Database.from(pglite)
  const jobs = new Queue<number, number>('inside', { pool: inside })
  await exercise(jobs)
  await jobs.close()
  await Promise.all([silent, odd, inside].map((db) => db.close()))
  await pglite.close()
})

test.each(['repeatable read', 'serializable'])(
  'workers work where %s is the default of the database',
  async (isolation) => {
    const pool = new pg.Pool({
      connectionString: bench.database.url,
      options: `-c default_transaction_isolation=${isolation.replace(' ', '\\ ')}`,
    })
    pool.on('error', () => {})
    const jobs = bench.queue<number, number>({ pool })
    let done = 0
    for (let n = 0; n < 3; n++) jobs.work(() => ++done, { concurrency: 5, pollInterval: 50 })
    await jobs.addMany(Array.from({ length: 300 }, (_, n) => n))
    await expect
      .poll(() => jobs.stats(), { timeout: 20_000 })
      .toMatchObject({ waiting: 0, running: 0 })
    expect((await jobs.stats()).totals.completed).toBe(300)
    await jobs.close()
    await Database.from(pool).close()
    await pool.end()
  },
)

describe('a worker', () => {
  test('survives a crash and a restart of the server without help', {
    timeout: 90_000,
  }, async () => {
    await using server = await startPostgres()
    const pool = new pg.Pool({ connectionString: server.url })
    pool.on('error', () => {})
    const jobs = new Queue<number>('survivors', { pool, backoff: 1 })
    const seen = new Set<number>()
    const worker = jobs.work((job) => void seen.add(job.payload), {
      lease: 1_000,
      pollInterval: 100,
    })
    let next = 0
    const add = async () => {
      const n = next++
      await expect
        .poll(
          () =>
            jobs.add(n).then(
              () => true,
              () => false,
            ),
          { timeout: 20_000 },
        )
        .toBe(true)
      await expect.poll(() => seen.has(n), { timeout: 20_000 }).toBe(true)
    }
    await add()
    await server.kill()
    await server.start()
    await add()
    await server.restart()
    await add()
    await server.freeze()
    await expect.poll(() => worker.heartbeatOffThread, { timeout: 20_000 }).toBe(false)
    await server.thaw()
    await add()
    await jobs.close()
    await Database.from(pool).close()
    await pool.end()
  })

  test('gets back the jobs of a claim whose answer was lost', { timeout: 60_000 }, async () => {
    const { hostname, port } = new URL(bench.database.url)
    const proxy = await startProxy({ host: hostname, port: Number(port) })
    const pool = new pg.Pool({ connectionString: proxy.url(bench.database.url), max: 3 })
    pool.on('error', () => {})
    const jobs = bench.queue<number>()
    const far = new Queue<number>(jobs.name, { pool, backoff: 1 })
    const seen: number[] = []
    const worker = far.work((job) => void seen.push(job.payload), {
      lease: 1_000,
      pollInterval: 20,
    })
    await jobs.add(0)
    await expect.poll(() => seen).toEqual([0])
    // The answer stays in the proxy: the claim is made, and nobody hears of it.
    const ids = await jobs.addMany(Array.from({ length: 50 }, (_, n) => n + 1))
    proxy.cut()
    await expect.poll(() => new Set(seen).size, { timeout: 30_000 }).toBe(51)
    expect(ids.length).toBe(50)
    await expect.poll(() => jobs.stats()).toMatchObject({ waiting: 0, running: 0, dead: 0 })
    await worker.close()
    await far.close()
    await Database.from(pool).close()
    await pool.end()
    await proxy.close()
  })
})
