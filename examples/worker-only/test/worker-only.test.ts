import { Database } from '@howdah/core'
import { Queue } from '@howdah/queue'
import { type TestDatabase, testDatabase } from '@howdah/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parseOpenMetrics } from '../../../packages/core/test/metrics/open-metrics-parser.js'
import { RunningExample } from '../../run-example.js'

let database: TestDatabase
let example: RunningExample
let url: string

beforeAll(async () => {
  database = await testDatabase()
  example = new RunningExample('worker-only', database.url)
  url = await example.printed(/^Working; see (\S+)\/metrics$/)
})
afterAll(async () => {
  await example?.stop()
  await database?.close()
})

test('it runs jobs that another process adds, and that SQL adds', async () => {
  const pool = database.pool()
  const pictures = new Queue<{ name: string; width: number }, { pixels: number }>('pictures', {
    pool,
  })
  const id = await pictures.add({ name: 'cat', width: 300 })
  expect(await pictures.result(id)).toEqual({ name: 'cat', pixels: 60_000 })
  await pool.query(`select howdah.enqueue('pictures', '{"name": "dog", "width": 0}')`)
  await example.printed(/^done: cat$/)
  await example.printed(/dog.*cannot be 0 wide/)
  await pictures.close()
  await Database.from(pool).close()
})

test('it says how it is', async () => {
  expect((await fetch(`${url}/health`)).status).toBe(200)
  expect((await fetch(`${url}/other`)).status).toBe(404)
  const response = await fetch(`${url}/metrics`)
  const samples = parseOpenMetrics(await response.text()).flatMap((family) => family.samples)
  const completed = samples.filter(({ name }) => name === 'howdah_queue_completed_jobs_total')
  expect(completed.map(({ labels, value }) => [labels['queue'], value])).toEqual([
    ['pictures', 1],
    ['cleaning', 0],
  ])
  const { rows } = await database.pool().query('select name, cron from howdah.queue_schedule')
  expect(rows).toEqual([{ name: 'nightly', cron: '0 3 * * *' }])
})

test('it ends cleanly when it is told to', async () => {
  expect(await example.stop()).toBe(0)
})
