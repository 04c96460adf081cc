import { expect, test } from 'vitest'
import { runJobs } from '../src/adapters/testing.js'
import { Bench } from './support.js'

const bench = new Bench()
const HOSTILE = `__proto__"; drop table x; -- 'ünïcode'`

const viewed = async (name: string) =>
  (await bench.rows('select * from howdah.queue_stats where queue = $1', [name]))[0]

test('queue_stats counts as stats() does, whatever the queue is called', async () => {
  const jobs = bench.queue<number>({ attempts: 1 }, HOSTILE)
  await jobs.addMany([1, 2, 3])
  await runJobs(jobs, (job) => {
    if (job.payload === 2) throw new Error('no')
  })
  await jobs.add(4, { priority: 7 })
  await jobs.add(5, { delay: '1h' })
  await jobs.pause()
  const { oldestAgeMs: _, rates: __, totals, ...now } = await jobs.stats()
  const row = await viewed(HOSTILE)
  const numbers = Object.entries({ ...now, ...totals }).map(([name, value]) => [
    name,
    typeof value === 'number' ? String(value) : value,
  ])
  expect(row).toMatchObject(Object.fromEntries(numbers))
  expect(row).toMatchObject({ waiting: '1', delayed: '1', dead: '1', completed: '2', paused: true })
  expect(row).toMatchObject({ added_last_minute: '5', failed_last_minute: '1', workers: '0' })
})

test('queue_stats tells the age of the oldest job of any priority, and the workers that live', async () => {
  const jobs = bench.queue<number>()
  await jobs.add(1, { priority: -5 })
  await jobs.add(2, { priority: 5 })
  await bench.pool.query(
    `update howdah.queue_job set added_at = added_at - interval '2 hours'
     where payload::text = '1' and queue = howdah.queue_open($1)`,
    [jobs.name],
  )
  const [row] = await bench.rows<{ old: boolean }>(
    `select oldest_age between interval '2 hours' and interval '3 hours' as old from howdah.queue_stats where queue = $1`,
    [jobs.name],
  )
  expect(row?.old).toBe(true)
  const worker = jobs.work(async () => {})
  await expect
    .poll(async () => await viewed(jobs.name))
    .toMatchObject({ workers: '1', waiting: '0' })
  await worker.close()
  expect(await viewed(jobs.name)).toMatchObject({
    workers: '0',
    oldest_added_at: null,
    oldest_age: null,
  })
})

test('queue_stats can be read by who may read nothing else, and changes nothing', async () => {
  const jobs = bench.queue<number>()
  await jobs.add(1)
  const client = await bench.database.adminPool().connect()
  try {
    await client.query('begin')
    await client.query(`create role queue_watcher; grant usage on schema howdah to queue_watcher;
      grant select on howdah.queue_stats to queue_watcher; set local role queue_watcher`)
    const { rows } = await client.query('select waiting from howdah.queue_stats where queue = $1', [
      jobs.name,
    ])
    expect(rows).toEqual([{ waiting: '1' }])
    await client.query('savepoint s')
    await expect(client.query('select * from howdah.queue_job')).rejects.toMatchObject({
      code: '42501',
    })
    await client.query('rollback to s; reset role')
    for (const sql of [
      'update howdah.queue_stats set paused = true',
      'delete from howdah.queue_stats',
    ]) {
      await client.query('savepoint s')
      await expect(client.query(sql)).rejects.toMatchObject({ code: '55000' })
      await client.query('rollback to s')
    }
  } finally {
    await client.query('rollback')
    client.release()
  }
})
