import { describe, expect, test } from 'vitest'
import { advanceTime, runJobs } from '../src/adapters/testing.js'
import { Discard } from '../src/index.js'
import { Bench, deferred } from './support.js'

const bench = new Bench()

test('addMany() with the same keys in other orders does not wait for itself, and keeps the order of the jobs', async () => {
  const jobs = bench.queue<string>()
  const keys = Array.from({ length: 40 }, (_, n) => `key ${n}`)
  const orders = Array.from({ length: 12 }, (_, n) => (n % 2 === 0 ? keys : keys.toReversed()))
  const other = bench.queue<string>({ pool: bench.database.pool() }, jobs.name)
  const answers = await Promise.all(
    orders.map((order, n) =>
      (n % 3 === 0 ? other : jobs).addMany(order, (payload) => ({ key: payload })),
    ),
  )
  const ids = answers.map((answer, n) =>
    Object.fromEntries(answer.map((id, at) => [orders[n]?.[at], id])),
  )
  for (const each of ids) expect(each).toEqual(ids[0])
  const { completed } = await runJobs(jobs, () => {})
  const payloads = completed.map((job) => job.payload)
  expect([keys, keys.toReversed()]).toContainEqual(payloads)
})

test('a job that is debounced makes room for another once it has begun', async () => {
  const jobs = bench.queue<string>({ backoff: 60_000 })
  const first = await jobs.add('first', { key: { id: 'k', debounce: 1 } })
  await advanceTime(jobs, '1s')
  await runJobs(jobs, () => {
    throw new Error('again')
  })
  const second = await jobs.add('second', { key: { id: 'k', debounce: 1 } })
  expect(second).not.toBe(first)
  expect((await jobs.get(first))?.payload).toBe('first')
})

describe('a key', () => {
  test('makes one job of concurrent adds, in any process, until it has ended', async () => {
    const one = bench.queue<number>()
    const two = bench.queue<number>({ pool: bench.database.pool() }, one.name)
    const ids = await Promise.all(
      Array.from({ length: 20 }, (_, n) => (n % 2 ? one : two).add(n, { key: 'k' })),
    )
    expect(new Set(ids).size).toBe(1)
    expect((await one.stats()).waiting).toBe(1)
    const { completed } = await runJobs(one, () => {})
    expect(completed.length).toBe(1)
    expect(await one.add(99, { key: 'k' })).not.toBe(ids[0])
  })

  test('is held while the job runs and through its retries, and freed by every end', async () => {
    const jobs = bench.queue<string>({ attempts: 2 })
    const first = await jobs.add('x', { key: 'k' })
    const finish = deferred()
    const started = deferred()
    const worker = jobs.work(async () => {
      started.resolve()
      await finish.promise
      throw new Error('again')
    })
    await started.promise
    expect(await jobs.add('y', { key: 'k' })).toBe(first)
    finish.resolve()
    await expect.poll(() => jobs.stats()).toMatchObject({ dead: 1 })
    await worker.close()
    const second = await jobs.add('y', { key: 'k' })
    expect(second).not.toBe(first)
    expect(await jobs.cancel(second)).toBe('cancelled')
    const third = await jobs.add('z', { key: 'k' })
    expect(third).not.toBe(second)
    await runJobs(jobs, () => {
      throw new Discard()
    })
    expect(await jobs.add('z', { key: 'k' })).not.toBe(third)
  })

  test('is free again when the transaction that took it rolls back, and waits for it to end', async () => {
    const jobs = bench.queue<number>()
    const client = await bench.pool.connect()
    await jobs.stats()
    await client.query('begin')
    const inside = await jobs.add(1, { key: 'k', client })
    const outside = jobs.add(2, { key: 'k' })
    await expect
      .poll(() =>
        bench.rows(
          `select 1 from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`,
        ),
      )
      .toHaveLength(1)
    await client.query('rollback')
    client.release()
    expect(await outside).not.toBe(inside)
    expect((await jobs.stats()).waiting).toBe(1)
  })

  test('with throttle lets one job start in each window', async () => {
    const jobs = bench.queue<number>()
    const key = { id: 'k', throttle: '1h' } as const
    const first = await jobs.add(1, { key })
    await runJobs(jobs, () => {})
    expect(await jobs.add(2, { key })).toBe(first)
    await advanceTime(jobs, '1h')
    expect(await jobs.add(3, { key })).not.toBe(first)
  })

  test('with keepFor is held beyond the end', async () => {
    const jobs = bench.queue<number>()
    const key = { id: 'k', keepFor: '1h' } as const
    const first = await jobs.add(1, { key })
    await runJobs(jobs, () => {})
    expect(await jobs.add(2, { key })).toBe(first)
    await advanceTime(jobs, '61m')
    expect(await jobs.add(3, { key })).not.toBe(first)
  })

  test('with debounce runs the newest payload once nothing was added for the time', async () => {
    const jobs = bench.queue<number>()
    const key = { id: 'k', debounce: '1h' } as const
    const first = await jobs.add(1, { key })
    await advanceTime(jobs, '59m')
    expect(await jobs.add(2, { key })).toBe(first)
    await advanceTime(jobs, '59m')
    expect((await runJobs(jobs, (job) => job.payload)).completed).toEqual([])
    await advanceTime(jobs, '1m')
    expect((await runJobs(jobs, (job) => job.payload)).completed).toMatchObject([{ output: 2 }])
    expect(await jobs.add(3, { key })).not.toBe(first)
  })
})
