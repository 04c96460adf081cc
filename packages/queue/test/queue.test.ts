import { Database } from '@howdah/core'
import { testDatabase } from '@howdah/testkit'
import fc from 'fast-check'
import type pg from 'pg'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type Job, Queue, type QueueOptions } from '../src/index.js'

let database: Awaited<ReturnType<typeof testDatabase>>
let pool: pg.Pool
let names = 0
const open: Queue<never>[] = []

/** A queue of its own for each test. */
function queue<T>(options: Partial<QueueOptions<T>> = {}, name = `test-${++names}`): Queue<T> {
  const made = new Queue<T>(name, { pool, backoff: 1, ...options })
  open.push(made as unknown as Queue<never>)
  return made
}

beforeAll(async () => {
  database = await testDatabase()
  pool = database.pool()
})
afterEach(async () => {
  await Promise.all(open.splice(0).map((each) => each.close()))
})
afterAll(async () => {
  await Database.from(pool).close()
  await database.close()
})

describe('add() and work()', () => {
  test('run each job once, with its payload', async () => {
    const jobs = queue<{ n: number }>()
    const ids = await Promise.all(Array.from({ length: 200 }, (_, n) => jobs.add({ n })))
    expect(new Set(ids).size).toBe(200)
    const seen: number[] = []
    jobs.work((job) => seen.push(job.payload.n), { concurrency: 7 })
    await expect.poll(() => jobs.stats()).toEqual({ waiting: 0, delayed: 0, running: 0, dead: 0 })
    expect(seen.sort((a, b) => a - b)).toEqual(Array.from({ length: 200 }, (_, n) => n))
  })

  test('share the work between processes, each job with one of them', async () => {
    const name = `shared-${++names}`
    const queues = [queue<number>({}, name), queue<number>({ pool: database.pool() }, name)]
    await queues[0]?.addMany(Array.from({ length: 300 }, (_, n) => n))
    const seen: number[] = []
    for (const each of queues) each.work((job) => seen.push(job.payload), { concurrency: 3 })
    await expect.poll(() => seen.length).toBeGreaterThanOrEqual(300)
    await expect.poll(() => queues[0]?.stats()).toMatchObject({ waiting: 0, running: 0 })
    expect(seen.sort((a, b) => a - b)).toEqual(Array.from({ length: 300 }, (_, n) => n))
  })

  test('start higher priorities first, and equal ones in the order they were added', async () => {
    const jobs = queue<string>()
    await jobs.add('low', { priority: -5 })
    await jobs.add('first')
    await jobs.add('second')
    await jobs.add('urgent', { priority: 10 })
    const seen: string[] = []
    jobs.work((job) => seen.push(job.payload), { concurrency: 1 })
    await expect.poll(() => seen).toEqual(['urgent', 'first', 'second', 'low'])
  })

  test('hear a doorbell long before the next poll', async () => {
    const jobs = queue<number>()
    const seen: number[] = []
    jobs.work((job) => seen.push(job.payload), { pollInterval: '1h' })
    await expect.poll(() => Database.from(pool).hub.state).toBe('listening')
    await jobs.add(1)
    await expect.poll(() => seen).toEqual([1])
    await Database.from(pool).transaction(async (tx) => {
      await jobs.add(2, { client: tx })
    })
    await expect.poll(() => seen).toEqual([1, 2])
  })

  test('do not run more jobs at a time than asked for', async () => {
    const jobs = queue<number>()
    let running = 0
    let most = 0
    let done = 0
    await jobs.addMany(Array.from({ length: 40 }, (_, n) => n))
    jobs.work(
      async () => {
        most = Math.max(most, ++running)
        await new Promise(setImmediate)
        running--
        done++
      },
      { concurrency: 4 },
    )
    await expect.poll(() => done).toBe(40)
    expect(most).toBeLessThanOrEqual(4)
  })

  test('wait for the delay, by the database clock', async () => {
    const jobs = queue<string>({}, `delayed-${++names}`)
    const seen: string[] = []
    await jobs.add('later', { delay: '1h' })
    await jobs.add('dated', { runAt: new Date(Date.now() + 3_600_000) })
    await jobs.add('past', { runAt: new Date(0) })
    const worker = jobs.work((job) => seen.push(job.payload), { pollInterval: 20 })
    await expect.poll(() => seen).toEqual(['past'])
    expect(await jobs.stats()).toMatchObject({ delayed: 2 })
    await pool.query(`update howdah.queue_job set run_at = now() where queue = $1`, [jobs.name])
    await expect.poll(() => seen.length).toBe(3)
    await worker.close()
  })

  test('exist only if the transaction of the caller commits', async () => {
    const jobs = queue<number>()
    const client = await pool.connect()
    await client.query('begin')
    await jobs.add(1, { client })
    await jobs.addMany([2, 3], { client })
    expect((await jobs.stats()).waiting).toBe(0)
    await client.query('rollback')
    expect((await jobs.stats()).waiting).toBe(0)
    await client.query('begin')
    await jobs.addMany([4, 5], { client })
    await client.query('commit')
    client.release()
    expect((await jobs.stats()).waiting).toBe(2)
  })
})

describe('failures', () => {
  test('are retried, then become dead letters that can be redriven and purged', async () => {
    const jobs = queue<string>({ attempts: 3 })
    const failures: [number, boolean][] = []
    let broken = true
    const seen: string[] = []
    const worker = jobs.work(
      (job) => {
        if (broken) throw new Error('no\0pe')
        seen.push(job.payload)
      },
      { pollInterval: 10 },
    )
    worker.on('failed', (job, _error, dead) => failures.push([job.attempt, dead]))
    const id = await jobs.add('x')
    await expect.poll(() => jobs.stats()).toMatchObject({ dead: 1, waiting: 0, delayed: 0 })
    expect(failures).toEqual([
      [1, false],
      [2, false],
      [3, true],
    ])
    const [letter] = await jobs.deadLetters()
    expect(letter).toMatchObject({ id, payload: 'x', attempts: 3 })
    expect(letter?.error).toContain('no\\0pe')
    expect(letter?.diedAt).toBeInstanceOf(Date)
    broken = false
    expect(await jobs.redrive([id])).toBe(1)
    await expect.poll(() => seen).toEqual(['x'])
    broken = true
    await jobs.addMany(['y', 'z'], { attempts: 1 })
    await expect.poll(() => jobs.stats()).toMatchObject({ dead: 2 })
    expect(await jobs.purgeDead()).toBe(2)
    expect(await jobs.deadLetters()).toEqual([])
  })

  test('of the worker itself count as attempts, and its jobs go to another', async () => {
    const jobs = queue<string>({ attempts: 2 })
    await jobs.add('x')
    const claimed: Job<string>[] = []
    const hang = (job: Job<string>) => {
      claimed.push(job)
      return new Promise<void>(() => {})
    }
    const dying = jobs.work(hang, { lease: '1h' })
    await expect.poll(() => claimed.length).toBe(1)
    await expire(jobs)
    const next = queue<string>({ pool: database.pool() }, jobs.name)
    const heir = next.work(hang, { pollInterval: 10 })
    await expect.poll(() => claimed.map((job) => job.attempt)).toEqual([1, 2])
    await expire(jobs)
    await expect.poll(() => jobs.stats()).toMatchObject({ dead: 1, running: 0 })
    expect((await jobs.deadLetters())[0]?.error).toContain('worker died')
    await Promise.all([dying, heir].map((worker) => worker.close({ withinMs: 0 })))
  })

  test('to keep the lease abort the job, and what it reports is refused', async () => {
    const jobs = queue<string>()
    await jobs.add('x')
    const errors: unknown[] = []
    let finish: (() => void) | undefined
    let lost: AbortSignal | undefined
    const worker = jobs.work(
      (job) => {
        lost = job.signal
        return new Promise<void>((resolve) => (finish = resolve))
      },
      { lease: 300 },
    )
    worker.on('error', (error) => errors.push(error))
    await expect.poll(() => finish).toBeDefined()
    await pool.query(
      `update howdah.queue_job set lease = nextval('howdah.queue_lease'), run_at = now() + interval '1 hour'
       where queue = $1`,
      [jobs.name],
    )
    await expect.poll(() => lost?.aborted).toBe(true)
    finish?.()
    await expect.poll(() => errors).toMatchObject([{ code: 'QUEUE_LEASE_LOST' }])
    expect(await jobs.stats()).toMatchObject({ running: 1 })
  })

  test('of the server are waited out', async () => {
    const jobs = queue<number>()
    const seen: number[] = []
    const worker = jobs.work((job) => seen.push(job.payload), { pollInterval: 10 })
    const errors: unknown[] = []
    worker.on('error', (error) => errors.push(error))
    await jobs.add(1)
    await expect.poll(() => seen).toEqual([1])
    await pool.query(
      `select pg_terminate_backend(pid) from pg_stat_activity
       where datname = current_database() and pid <> pg_backend_pid()`,
    )
    await jobs.add(2)
    await expect.poll(() => seen).toEqual([1, 2])
  })
})

test('a payload that is no JSON is refused by the table itself', async () => {
  const written = pool.query(
    `insert into howdah.queue_job (queue, payload, priority, max_attempts, run_at)
     values ('raw', 'no json', 0, 1, now())`,
  )
  await expect(written).rejects.toMatchObject({ code: '22P02' })
})

describe('close()', () => {
  test('waits for the jobs that run', async () => {
    const jobs = queue<number>()
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
    expect(await jobs.stats()).toEqual({ waiting: 0, delayed: 0, running: 0, dead: 0 })
  })

  test('hands back what does not end in time, with no attempt counted', async () => {
    const jobs = queue<number>({ attempts: 1 })
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
})

describe('bad input', () => {
  test.each([
    ['', {}],
    ['a\0b', {}],
    ['\ud800', {}],
    ['x'.repeat(201), {}],
    ['x', { attempts: 0 }],
    ['x', { attempts: 1.5 }],
    ['x', { maxPayloadBytes: -1 }],
  ])('is refused at construction: %j %j', (name, options) => {
    expect(() => new Queue(name, { pool, ...options })).toThrow(
      expect.objectContaining({ code: 'QUEUE_INVALID_OPTION' }),
    )
  })

  test('is refused before anything is added', async () => {
    const jobs = queue<unknown>({ maxPayloadBytes: 100 })
    const code = (code: string) => expect.objectContaining({ code })
    await expect(jobs.add(undefined)).rejects.toEqual(code('QUEUE_INVALID_PAYLOAD'))
    await expect(jobs.add(1n)).rejects.toEqual(code('QUEUE_INVALID_PAYLOAD'))
    await expect(jobs.addMany([1, 'x'.repeat(99)])).rejects.toEqual(code('QUEUE_PAYLOAD_TOO_LARGE'))
    await expect(jobs.add(1, { priority: 40_000 })).rejects.toEqual(code('QUEUE_INVALID_OPTION'))
    await expect(jobs.add(1, { delay: 1, runAt: new Date() })).rejects.toEqual(
      code('QUEUE_INVALID_OPTION'),
    )
    await expect(jobs.add(1, { runAt: new Date(Number.NaN) })).rejects.toEqual(
      code('QUEUE_INVALID_OPTION'),
    )
    await expect(jobs.redrive(['1; drop table x'])).rejects.toEqual(code('QUEUE_INVALID_OPTION'))
    await expect(jobs.deadLetters({ limit: 0 })).rejects.toEqual(code('QUEUE_INVALID_OPTION'))
    expect(() => jobs.work(() => {}, { concurrency: 0 })).toThrow(code('QUEUE_INVALID_OPTION'))
    expect(await jobs.addMany([])).toEqual([])
    expect(await jobs.stats()).toMatchObject({ waiting: 0 })
    await jobs.close()
    await expect(jobs.add(1)).rejects.toEqual(code('QUEUE_CLOSED'))
  })

  test('of any JSON, under any well-formed name, comes back unchanged', async () => {
    const name = fc
      .string({ unit: 'grapheme', minLength: 1, maxLength: 60 })
      .filter((text) => !text.includes('\0'))
    await fc.assert(
      fc.asyncProperty(
        name,
        fc.array(fc.jsonValue(), { maxLength: 5 }),
        async (title, payloads) => {
          const jobs = queue<unknown>({}, `${++names}${title}`)
          const seen: unknown[] = []
          await jobs.addMany(payloads)
          const worker = jobs.work((job) => seen.push(job.payload), { concurrency: 1 })
          await expect.poll(() => seen.length).toBe(payloads.length)
          await worker.close()
          expect(seen).toEqual(payloads.map((payload) => JSON.parse(JSON.stringify(payload))))
        },
      ),
      { numRuns: 15 },
    )
  })
})

/** Ends the leases of a queue, as if their time had passed. */
async function expire(jobs: Queue<string>) {
  await pool.query(
    `update howdah.queue_job set run_at = now() - interval '1 second' where queue = $1`,
    [jobs.name],
  )
}
