import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { Database } from '@howdah/core'
import { testDatabase } from '@howdah/testkit'
import { Pgmq } from 'pgmq-js'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { Queue, type QueueOptions } from '../src/index.js'
import { installPgmq } from './pgmq-support.js'
import { Bench, deferred } from './support.js'

const bench = new Bench()
let there = false
beforeAll(async () => {
  there = await installPgmq(bench.pool)
})

/** A queue whose name pgmq takes. */
function made<T>(options: Partial<QueueOptions<T>> = {}, name = bench.fresh().replace('-', '_')) {
  return bench.queue<T>({ engine: 'pgmq', ...options }, name)
}

describe('what pgmq cannot do', () => {
  test.each([
    ['a limit', { concurrency: 3 }],
    ['a rate', { rate: { max: 1, per: '1s' } }],
    ['groups', { groups: { concurrency: 1 } }],
    ['retention', { keep: { completed: '1d' } }],
  ] as const)('is refused when the queue is made: %s', (_, options) => {
    expect(() => made(options)).toThrow(expect.objectContaining({ code: 'QUEUE_UNSUPPORTED' }))
  })

  test.each([
    ["it's", {}],
    ['x'.repeat(39), {}],
    ['Upper', {}],
    ['$1', {}],
    ['a"; drop table x; --', {}],
    ['fine', { engine: { name: 'pgmq', priorities: [1000] } }],
    ['fine', { engine: { name: 'pgmq', priority: [1] } }],
    [
      'fine',
      { engine: { name: 'pgmq', unlogged: true, partitioned: { interval: '1', retention: '2' } } },
    ],
    ['fine', { engine: 'redis' }],
  ] as const)('is no name or option of it: %s', (name, options) => {
    expect(() => made(options as object, name)).toThrow(
      expect.objectContaining({ code: 'QUEUE_INVALID_OPTION' }),
    )
  })

  test('is refused before anything is done', async () => {
    const jobs = made<number>()
    const unsupported = { code: 'QUEUE_UNSUPPORTED' }
    await expect(jobs.add(1, { key: 'k' })).rejects.toMatchObject(unsupported)
    await expect(jobs.addMany([1, 2], () => ({ expireAfter: 5 }))).rejects.toMatchObject(
      unsupported,
    )
    await expect(jobs.add(1, { group: 'g' })).rejects.toMatchObject(unsupported)
    await expect(jobs.add(1, { priority: 3 })).rejects.toMatchObject({
      code: 'QUEUE_INVALID_OPTION',
    })
    await expect(jobs.addFlow({ payload: 1, children: [{ payload: 2 }] })).rejects.toMatchObject(
      unsupported,
    )
    await expect(jobs.pause()).rejects.toMatchObject(unsupported)
    await expect(jobs.list()).rejects.toMatchObject(unsupported)
    await expect(jobs.result('1')).rejects.toMatchObject(unsupported)
    await expect(jobs.on('completed', () => {})).rejects.toMatchObject(unsupported)
    await expect(jobs.schedule('s', '@daily', 1)).rejects.toMatchObject(unsupported)
  })

  test('is said where the database has no pgmq', async () => {
    await using empty = await testDatabase()
    const pool = empty.pool()
    const jobs = new Queue<number>('jobs', { pool, engine: 'pgmq' })
    await expect(jobs.add(1)).rejects.toMatchObject({ code: 'QUEUE_EXTENSION_MISSING' })
    await jobs.close()
    await Database.from(pool).close()
  })
})

describe('beside others of pgmq', () => {
  test('works on what SQL and pgmq-js send, and sends what they read', async ({ skip }) => {
    if (!there) skip()
    const jobs = made<{ n: number }>()
    await jobs.addMany([{ n: 0 }, { n: 1 }], { trace: { traceparent: TRACE } })
    const url = new URL(bench.database.url)
    const theirs = await Pgmq.new(
      {
        host: url.hostname,
        port: Number(url.port),
        database: url.pathname.slice(1),
        user: decodeURIComponent(url.username),
        password: decodeURIComponent(url.password),
        ssl: false,
      },
      { skipExtensionCreation: true },
    )
    const read = await theirs.msg.read<{ n: number }>(jobs.name, 30)
    expect(read?.message).toEqual({ n: 0 })
    await theirs.msg.delete(jobs.name, read?.msgId ?? 0)
    const [row] = await bench.rows<{ message: unknown; headers: unknown }>(
      `select message, headers from pgmq.read($1, 0, 1)`,
      [jobs.name],
    )
    expect(row).toMatchObject({ message: { n: 1 }, headers: { traceparent: TRACE } })

    await theirs.msg.send(jobs.name, { n: 2 })
    await theirs.msg.sendBatch(jobs.name, [{ n: 3 }, { n: 4 }])
    await bench.pool.query(`select pgmq.send($1, '{"n": 5}')`, [jobs.name])
    await bench.pool.query(`select pgmq.send($1, '{"n": 6}', '[1, "odd"]'::jsonb)`, [jobs.name])
    await bench.pool.query(`select pgmq.send($1, '{"n": 7}', '{"howdah": 7}'::jsonb)`, [jobs.name])
    const hostile = {
      waits: 'abc',
      failures: 'x',
      attempts: -5,
      free: 1e99,
      error: [1],
      backoff: 'soon',
    }
    await bench.pool.query(`select pgmq.send($1, '{"n": 8}', $2::jsonb)`, [
      jobs.name,
      JSON.stringify({ howdah: hostile, traceparent: "'; drop", tracestate: 7 }),
    ])
    expect((await jobs.stats()).waiting).toBe(8)
    await theirs.close()
    const seen: number[] = []
    const traces: unknown[] = []
    jobs.work(
      (job) => {
        seen.push(job.payload.n)
        if (job.trace !== undefined) traces.push(job.trace.traceparent)
      },
      { pollInterval: 10 },
    )
    await expect.poll(() => [...seen].sort()).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
    expect(traces).toEqual([TRACE])
    await expect.poll(() => jobs.stats()).toMatchObject({ waiting: 0, running: 0, dead: 0 })
  })

  test('leaves a message alone that another reader has taken meanwhile', async ({ skip }) => {
    if (!there) skip()
    const jobs = made<number>()
    const finish = deferred()
    const started = deferred<AbortSignal>()
    const errors: unknown[] = []
    const worker = jobs.work(
      async (job) => {
        started.resolve(job.signal)
        await finish.promise
      },
      { lease: 1000, pollInterval: '1h' },
    )
    worker.on('error', (error) => errors.push(error))
    const id = await jobs.add(1)
    const signal = await started.promise
    // As if it had been frozen for a lease: somebody else reads it.
    // In one transaction, before a heartbeat comes between.
    await bench.pool.query(
      `do $$ begin update pgmq.q_${jobs.name} set vt = now() - interval '1s'; perform pgmq.read('${jobs.name}', 3600, 1); end $$`,
    )
    await expect.poll(() => signal.aborted).toBe(true)
    finish.resolve()
    await expect.poll(() => errors).toMatchObject([{ code: 'QUEUE_LEASE_LOST' }])
    expect((await jobs.get(id))?.state).toBe('running')
  })

  test('a job whose workers die is a dead letter in the end', async ({ skip }) => {
    if (!there) skip()
    const jobs = made<string>({ maxCrashes: 2 })
    await jobs.add('poison')
    for (let n = 0; n < 2; n++) await bench.pool.query(`select pgmq.read($1, 0, 1)`, [jobs.name])
    let runs = 0
    jobs.work(() => void runs++, { pollInterval: 10 })
    await expect.poll(() => jobs.stats()).toMatchObject({ dead: 1, waiting: 0, running: 0 })
    expect(runs).toBe(0)
    const [letter] = await jobs.deadLetters()
    expect(letter).toMatchObject({ payload: 'poison', error: 'Its worker died 2 times.' })
  })

  test('loses no job where worker processes are killed', { timeout: 60_000 }, async ({ skip }) => {
    if (!there) skip()
    const jobs = made<string>({ engine: { name: 'pgmq', archive: true } })
    await jobs.addMany(Array.from({ length: 20 }, (_, n) => (n === 5 ? 'poison' : `fine ${n}`)))
    const file = fileURLToPath(new URL('fixtures/poisoned-worker.ts', import.meta.url))
    const args = ['--import', 'tsx', file, bench.database.url, jobs.name, '0', 'pgmq']
    let child: ChildProcess | undefined
    let over = false
    const start = () => {
      child = spawn(process.execPath, args, { stdio: 'inherit' })
      child.once('exit', () => over || start())
    }
    onTestFinished(() => {
      over = true
      child?.kill('SIGKILL')
    })
    start()
    await expect
      .poll(() => jobs.stats(), { timeout: 50_000 })
      .toMatchObject({ waiting: 0, running: 0, delayed: 0 })
    const letters = await jobs.deadLetters()
    expect(letters.map((letter) => letter.payload)).toEqual(['poison'])
    const archived = await bench.rows<{ message: string }>(
      `select message from pgmq.a_${jobs.name}`,
    )
    expect(new Set(archived.map((row) => row.message)).size).toBe(19)
  })

  test('archives where it is told to, and creates unlogged queues', async ({ skip }) => {
    if (!there) skip()
    const jobs = made<number>({ engine: { name: 'pgmq', archive: true, unlogged: true } })
    await jobs.addMany([1, 2])
    let done = 0
    jobs.work(() => void done++, { pollInterval: 10 })
    const archived = () => bench.rows(`select message from pgmq.a_${jobs.name} order by msg_id`)
    await expect.poll(archived).toEqual([{ message: 1 }, { message: 2 }])
    const unlogged = await bench.rows(`select relpersistence from pg_class where relname = $1`, [
      `q_${jobs.name}`,
    ])
    expect(unlogged).toEqual([{ relpersistence: 'u' }])
    const parted = made<number>({
      engine: { name: 'pgmq', partitioned: { interval: '1000', retention: '10000' } },
    })
    await expect(parted.add(1)).rejects.toMatchObject({ code: 'QUEUE_EXTENSION_MISSING' })
  })

  test('waits in the server where it is told to, and closes all the same', async ({ skip }) => {
    if (!there) skip()
    const jobs = made<number>({ engine: { name: 'pgmq', longPoll: '4s' } })
    const worker = jobs.work((job) => void seen.push(job.payload), { pollInterval: '1h' })
    const seen: number[] = []
    const waiting = () =>
      bench.rows(
        `select 1 from pg_stat_activity where query like '%read_with_poll%' and wait_event = 'PgSleep'`,
      )
    await expect.poll(waiting).toHaveLength(1)
    // Not by this object, which would look at once.
    await bench.pool.query(`select pgmq.send($1, '1')`, [jobs.name])
    await expect.poll(() => seen).toEqual([1])
    await worker.close()
    expect((await jobs.stats()).totals.added).toBe(1)
  })

  test('runs jobs at most once where it is told to', async ({ skip }) => {
    if (!there) skip()
    const jobs = made<number>({ engine: { name: 'pgmq', atMostOnce: true } })
    await jobs.addMany(Array.from({ length: 20 }, (_, n) => n))
    const seen: number[] = []
    const failed: boolean[] = []
    const worker = jobs.work(
      (job) => {
        seen.push(job.payload)
        if (job.payload === 3) throw new Error('gone')
      },
      { pollInterval: 10 },
    )
    worker.on('failed', (_job, _error, dead) => failed.push(dead))
    await expect.poll(() => seen.length).toBe(20)
    await worker.close()
    expect(new Set(seen).size).toBe(20)
    expect(failed).toEqual([true])
    expect(await jobs.stats()).toMatchObject({ waiting: 0, running: 0, delayed: 0, dead: 0 })
  })

  test('keeps jobs through hostile payloads and a NUL', async ({ skip }) => {
    if (!there) skip()
    const jobs = made<unknown>()
    await expect(jobs.addMany(['fine', 'a\0b'])).rejects.toMatchObject({
      code: 'QUEUE_INVALID_PAYLOAD',
    })
    expect((await jobs.stats()).waiting).toBe(0)
    const ids = await jobs.addMany([{ ['__proto__']: 1 }, "'; drop table pgmq.meta; --"])
    expect((await jobs.get(ids[1] as string))?.payload).toBe("'; drop table pgmq.meta; --")
    await expect(jobs.get('1; drop')).rejects.toMatchObject({ code: 'QUEUE_INVALID_OPTION' })
    expect(await jobs.cancel('999999')).toBe('unknown')
  })
})

const TRACE = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
