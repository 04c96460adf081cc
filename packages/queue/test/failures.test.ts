import { describe, expect, test } from 'vitest'
import type { Job } from '../src/index.js'
import { Bench, deferred } from './support.js'

const bench = new Bench()

describe('failures', () => {
  test('are retried, then become dead letters that can be redriven and purged', async () => {
    const jobs = bench.queue<string>({ attempts: 3 })
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

  test('of the worker itself count apart, and its jobs go to another', async () => {
    const jobs = bench.queue<string>({ attempts: 1, maxCrashes: 2 })
    await jobs.add('x')
    const claimed: Job<string>[] = []
    const hang = (job: Job<string>) => {
      claimed.push(job)
      return new Promise<void>(() => {})
    }
    const dying = jobs.work(hang, { lease: '1h' })
    await expect.poll(() => claimed.length).toBe(1)
    await bury(jobs.name)
    const next = bench.queue<string>({ pool: bench.database.pool() }, jobs.name)
    const heir = next.work(hang, { pollInterval: 10, lease: 300 })
    await expect.poll(() => claimed.map((job) => job.attempt)).toEqual([1, 2])
    await expect.poll(() => claimed[0]?.signal.aborted).toBe(true)
    await bury(jobs.name)
    await expect.poll(() => jobs.stats()).toMatchObject({ dead: 1, running: 0 })
    expect((await jobs.deadLetters())[0]?.error).toContain('worker died 2 times')
    await Promise.all([dying, heir].map((worker) => worker.close({ withinMs: 0 })))
  })

  test('to keep the lease abort the job, and what it reports is refused', async () => {
    const jobs = bench.queue<string>()
    await jobs.add('x')
    const errors: unknown[] = []
    const finish = deferred()
    let lost: AbortSignal | undefined
    const worker = jobs.work(
      async (job) => {
        lost = job.signal
        await finish.promise
      },
      { lease: 300 },
    )
    worker.on('error', (error) => errors.push(error))
    await expect.poll(() => lost).toBeDefined()
    const other = await bench.pool.query(
      `insert into howdah.queue_worker (id, queue, expires_at, started_at, about)
       select nextval('howdah.queue_lease_seq'), id, now() + interval '1 hour', now(), 'another' from howdah.queue where name = $1 returning id`,
      [jobs.name],
    )
    await bench.pool.query(
      `with taken as (delete from howdah.queue_lease where queue = (select id from howdah.queue where name = $1) returning *)
       insert into howdah.queue_lease select nextval('howdah.queue_lease_seq'), $2, queue, started_at, ids from taken`,
      [jobs.name, other.rows[0].id],
    )
    await expect.poll(() => lost?.aborted).toBe(true)
    finish.resolve()
    await expect.poll(() => errors).toMatchObject([{ code: 'QUEUE_LEASE_LOST' }])
    expect(await jobs.stats()).toMatchObject({ running: 1 })
  })

  test('of the server are waited out', async () => {
    const jobs = bench.queue<number>()
    const seen: number[] = []
    const worker = jobs.work((job) => seen.push(job.payload), { pollInterval: 10 })
    const errors: unknown[] = []
    worker.on('error', (error) => errors.push(error))
    await jobs.add(1)
    await expect.poll(() => seen).toEqual([1])
    await bench.pool.query(
      `select pg_terminate_backend(pid) from pg_stat_activity
       where datname = current_database() and pid <> pg_backend_pid()`,
    )
    await jobs.add(2)
    await expect.poll(() => seen).toEqual([1, 2])
  })
})

/** Thinks the queue's workers dead: their registration goes, and what they held, before they can say that they live. */
async function bury(name: string) {
  await bench.pool.query(
    `do $$ begin delete from howdah.queue_worker w where w.queue = (select id from howdah.queue where name = '${name}');
     perform howdah.queue_rescue(0); end $$`,
  )
}
