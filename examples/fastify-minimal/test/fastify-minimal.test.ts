import { type TestDatabase, testDatabase } from '@howdah/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parseOpenMetrics } from '../../../packages/core/test/metrics/open-metrics-parser.js'
import { RunningExample } from '../../run-example.js'

let database: TestDatabase
let example: RunningExample
let url: string

beforeAll(async () => {
  database = await testDatabase()
  example = new RunningExample('fastify-minimal', database.url)
  url = await example.printed(/^Notes are at (\S+)$/)
})
afterAll(async () => {
  await example?.stop()
  await database?.close()
})

const post = (body: unknown) =>
  fetch(`${url}/notes`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
const get = async (id: string) => (await fetch(`${url}/notes/${id}`)).json()

test('notes are stored, counted by jobs, and never served as they were before', async () => {
  const response = await post({ texts: ['one', 'two words', ' three  more words '] })
  expect(response.status).toBe(201)
  const { ids } = (await response.json()) as { ids: string[] }
  expect(ids.length).toBe(3)
  for (const [n, id] of ids.entries()) {
    await expect.poll(() => get(id)).toMatchObject({ id, words: n + 1 })
  }
})

test('who follows the stream from its beginning hears of every change, in order', async () => {
  const stream = await fetch(`${url}/events?ch=note-changes&after=earliest`)
  const reader = (stream.body as ReadableStream<Uint8Array>).getReader()
  let heard = ''
  while ((heard.match(/"what":"counted"/g) ?? []).length < 3) {
    const { value, done } = await reader.read()
    if (done) throw new Error(`The events ended after: ${heard}`)
    heard += Buffer.from(value).toString()
  }
  await reader.cancel()
  const told = [...heard.matchAll(/"id":"(\d+)","what":"(\w+)"/g)]
  for (const id of new Set(told.map((one) => one[1]))) {
    expect(told.filter((one) => one[1] === id).map((one) => one[2])).toEqual(['added', 'counted'])
  }
})

test('nonsense is refused, and the metrics tell of all sources', async () => {
  expect((await post({ texts: [] })).status).toBe(400)
  expect((await post({})).status).toBe(400)
  for (const id of ['0', '-1', 'x', '99999999999999999999', '%00']) {
    expect((await fetch(`${url}/notes/${id}`)).status, id).toBe(404)
  }
  const response = await fetch(`${url}/metrics`)
  const samples = parseOpenMetrics(await response.text()).flatMap((family) => family.samples)
  expect(samples.find(({ name }) => name === 'howdah_queue_completed_jobs_total')?.value).toBe(3)
  expect(
    samples.filter(({ name }) => name === 'howdah_source_up').map(({ value }) => value),
  ).toEqual([1, 1, 1, 1])
})

test('it ends cleanly when it is told to', async () => {
  expect(await example.stop()).toBe(0)
  await expect.poll(() => database.sessions()).toEqual([])
})
