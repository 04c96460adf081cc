import { Database } from '@howdah/core'
import { beforeAll, describe, expect, test } from 'vitest'
import type { Job } from '../src/index.js'
import { Bench, deferred } from './support.js'

const bench = new Bench()
beforeAll(async () => {
  await bench.pool.query('create table effect (queue text, job bigint, attempt int)')
})

const effects = (queue: string) =>
  bench.rows<{ job: string; attempt: number }>(
    'select job::text, attempt from effect where queue = $1 order by job, attempt',
    [queue],
  )

describe('job.complete()', () => {
  test.each(['read committed', 'repeatable read', 'serializable'])(
    'commits the effect and the end together, at %s, also while neighbours of the lease end',
    async (isolation) => {
      const jobs = bench.queue<number, string>()
      const ids = await jobs.addMany(Array.from({ length: 10 }, (_, n) => n))
      const worker = jobs.work(
        async (job) => {
          if (job.payload % 2) return 'plain'
          const client = await bench.pool.connect()
          try {
            await client.query(`begin isolation level ${isolation}`)
            await client.query('insert into effect values ($1, $2, $3)', [
              jobs.name,
              job.id,
              job.attempt,
            ])
            // The others have left the lease by now.
            await expect
              .poll(async () => (await jobs.list({ state: 'completed' })).jobs.length)
              .toBeGreaterThanOrEqual(5)
            await job.complete({ client, output: 'in the transaction' })
            await client.query('commit')
          } catch (error) {
            await client.query('rollback')
            throw error
          } finally {
            client.release()
          }
          return 'not this'
        },
        { concurrency: 10 },
      )
      for (const [n, id] of ids.entries()) {
        expect(await jobs.result(id)).toBe(n % 2 ? 'plain' : 'in the transaction')
      }
      await worker.close()
      const kept = await effects(jobs.name)
      expect(kept.map(({ job }) => job)).toEqual(ids.filter((_, n) => n % 2 === 0))
      expect(await bench.rows('select 1 from howdah.queue_receipt')).toEqual([])
    },
  )

  test('fails the attempt where the transaction rolls back, and runs it again', async () => {
    const jobs = bench.queue<number>()
    const db = Database.from(bench.pool)
    jobs.work(async (job) => {
      await db
        .transaction(async (tx) => {
          await tx.query('insert into effect values ($1, $2, $3)', [jobs.name, job.id, job.attempt])
          await job.complete({ client: tx })
          if (job.attempt === 1) throw new Error('roll back')
        })
        .catch(() => {})
    })
    const id = await jobs.add(1)
    await jobs.result(id)
    expect(await effects(jobs.name)).toEqual([{ job: id, attempt: 2 }])
    expect((await jobs.get(id))?.failures).toBe(1)
  })

  test('completes a job whose worker dies after the commit, and keeps the dead from completing another', async () => {
    const jobs = bench.queue<number>()
    const committed = deferred<Job<number>>()
    const release = deferred()
    const worker = jobs.work(
      async (job) => {
        if (job.payload === 1) {
          await Database.from(bench.pool).transaction((tx) =>
            job.complete({ client: tx, output: 1 }),
          )
          committed.resolve(job)
        }
        await release.promise
        if (job.payload === 2) {
          await Database.from(bench.pool).transaction(async (tx) => {
            await tx.query('insert into effect values ($1, $2, $3)', [
              jobs.name,
              job.id,
              job.attempt,
            ])
            await job.complete({ client: tx })
          })
        }
      },
      { lease: '1h', concurrency: 2 },
    )
    const [one, two] = (await jobs.addMany([1, 2])) as [string, string]
    await committed.promise
    // Before it can say that it lives.
    await bench.pool.query(
      `do $$ begin delete from howdah.queue_worker w where w.queue = (select id from howdah.queue where name = '${jobs.name}');
       perform howdah.queue_rescue(0); end $$`,
    )
    const heir = bench.queue<number>({ pool: bench.database.pool() }, jobs.name)
    const ran: number[] = []
    heir.work((job) => void ran.push(job.payload), { lease: 300, pollInterval: 10 })
    expect(await jobs.result(one)).toBe(1)
    await jobs.result(two)
    expect(ran).toEqual([2])
    release.resolve()
    await worker.close()
    expect(await effects(jobs.name)).toEqual([])
  })
})

describe('job.step()', () => {
  test('runs each step once, whatever happens to the job after it', async () => {
    const jobs = bench.queue<number, unknown>({ attempts: 5 })
    const ran: string[] = []
    jobs.work(async (job) => {
      const [a, b] = await Promise.all([
        job.step('a', () => {
          ran.push('a')
          return { n: 1 }
        }),
        job.step('b', async () => {
          ran.push('b')
        }),
      ])
      if (job.attempt < 3) throw new Error('between')
      const c = await job.step('c', () => void ran.push('c'))
      return [a, b, c, await job.step('a', () => 'not again')]
    })
    const id = await jobs.add(1)
    expect(await jobs.result(id)).toEqual([{ n: 1 }, null, null, { n: 1 }])
    expect(ran.sort()).toEqual(['a', 'b', 'c'])
  })
})

describe('job.progress() and job.heartbeat()', () => {
  test('are stored, and tell whether the job is still ours', async () => {
    const jobs = bench.queue<number>()
    const finish = deferred()
    const id = await jobs.add(1)
    const running = deferred<Job<number>>()
    jobs.work(async (job) => {
      running.resolve(job)
      await finish.promise
    })
    const job = await running.promise
    await job.heartbeat()
    await job.progress({ percent: 10 })
    await job.progress({ percent: 20 })
    await job.progress({ percent: 30 })
    await expect.poll(async () => (await jobs.get(id))?.progress).toEqual({ percent: 30 })
    await expect(job.progress(1n)).rejects.toMatchObject({ code: 'QUEUE_INVALID_PAYLOAD' })
    finish.resolve()
    await jobs.result(id)
    await expect(job.heartbeat()).rejects.toMatchObject({ code: 'QUEUE_LEASE_LOST' })
    expect(await bench.rows('select 1 from howdah.queue_progress')).toEqual([])
  })
})

describe('batch handlers', () => {
  test('get at most batchSize jobs and decide about each', async () => {
    const jobs = bench.queue<number, number>({ attempts: 1 })
    const sizes: number[] = []
    const ids = await jobs.addMany(Array.from({ length: 25 }, (_, n) => n))
    const worker = jobs.work(
      async (batch) => {
        sizes.push(batch.length)
        return batch.map((job) => (job.payload % 5 === 0 ? new Error('five') : job.payload * 2))
      },
      { batchSize: 10 },
    )
    await expect.poll(() => jobs.stats()).toMatchObject({ waiting: 0, running: 0, dead: 5 })
    await worker.close()
    expect(Math.max(...sizes)).toBeLessThanOrEqual(10)
    expect(await jobs.result(ids[6] as string)).toBe(12)
  })

  test('fail all their jobs when they throw, or answer another number', async () => {
    const jobs = bench.queue<number>({ attempts: 2 })
    await jobs.addMany([1, 2])
    let calls = 0
    jobs.work(
      () => {
        if (++calls === 1) throw new Error('all')
        return [1, 2, 3, 4, 5]
      },
      { batchSize: 2 },
    )
    await expect.poll(() => jobs.stats()).toMatchObject({ dead: 2 })
    expect((await jobs.deadLetters())[0]?.error).toContain('one output for each')
  })
})
