import { Database } from '@howdah/core'
import { describe, expect, test } from 'vitest'
import { Bench } from './support.js'

const bench = new Bench()

describe('add() and work()', () => {
  test('run each job once, with its payload', async () => {
    const jobs = bench.queue<{ n: number }>()
    const ids = await Promise.all(Array.from({ length: 200 }, (_, n) => jobs.add({ n })))
    expect(new Set(ids).size).toBe(200)
    const seen: number[] = []
    jobs.work((job) => seen.push(job.payload.n), { concurrency: 7 })
    await expect
      .poll(() => jobs.stats())
      .toMatchObject({ waiting: 0, delayed: 0, running: 0, dead: 0 })
    expect(seen.sort((a, b) => a - b)).toEqual(Array.from({ length: 200 }, (_, n) => n))
  })

  test('share the work between processes, each job with one of them', async () => {
    const name = `shared-${bench.fresh()}`
    const queues = [
      bench.queue<number>({}, name),
      bench.queue<number>({ pool: bench.database.pool() }, name),
    ]
    await queues[0]?.addMany(Array.from({ length: 300 }, (_, n) => n))
    const seen: number[] = []
    for (const each of queues) each.work((job) => seen.push(job.payload), { concurrency: 3 })
    await expect.poll(() => seen.length).toBeGreaterThanOrEqual(300)
    await expect.poll(() => queues[0]?.stats()).toMatchObject({ waiting: 0, running: 0 })
    expect(seen.sort((a, b) => a - b)).toEqual(Array.from({ length: 300 }, (_, n) => n))
  })

  test('start higher priorities first, and equal ones in the order they were added', async () => {
    const jobs = bench.queue<string>()
    await jobs.add('low', { priority: -5 })
    await jobs.add('first')
    await jobs.add('second')
    await jobs.add('urgent', { priority: 10 })
    const seen: string[] = []
    jobs.work((job) => seen.push(job.payload), { concurrency: 1 })
    await expect.poll(() => seen).toEqual(['urgent', 'first', 'second', 'low'])
  })

  test('hear a doorbell long before the next poll', async () => {
    const jobs = bench.queue<number>()
    const seen: number[] = []
    jobs.work((job) => seen.push(job.payload), { pollInterval: '1h' })
    await expect.poll(() => Database.from(bench.pool).hub.state).toBe('listening')
    await jobs.add(1)
    await expect.poll(() => seen).toEqual([1])
    await Database.from(bench.pool).transaction(async (tx) => {
      await jobs.add(2, { client: tx })
    })
    await expect.poll(() => seen).toEqual([1, 2])
  })

  test('do not run more jobs at a time than asked for', async () => {
    const jobs = bench.queue<number>()
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
    const jobs = bench.queue<string>({}, bench.fresh())
    const seen: string[] = []
    await jobs.add('later', { delay: '1h' })
    await jobs.add('dated', { runAt: new Date(Date.now() + 3_600_000) })
    await jobs.add('past', { runAt: new Date(0) })
    const worker = jobs.work((job) => seen.push(job.payload), { pollInterval: 20 })
    await expect.poll(() => seen).toEqual(['past'])
    expect(await jobs.stats()).toMatchObject({ delayed: 2 })
    await bench.pool.query(
      `update howdah.queue_scheduled set run_at = now() where queue = (select id from howdah.queue where name = $1)`,
      [jobs.name],
    )
    await expect.poll(() => seen.length).toBe(3)
    await worker.close()
  })

  test('exist only if the transaction of the caller commits', async () => {
    const jobs = bench.queue<number>()
    const client = await bench.pool.connect()
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
