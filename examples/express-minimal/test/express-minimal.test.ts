import { type TestDatabase, testDatabase } from '@howdah/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parseOpenMetrics } from '../../../packages/core/test/metrics/open-metrics-parser.js'
import { RunningExample } from '../../run-example.js'

let database: TestDatabase
let example: RunningExample
let url: string

beforeAll(async () => {
  database = await testDatabase()
  example = new RunningExample('express-minimal', database.url)
  url = await example.printed(/^The shop is at (\S+)$/)
})
afterAll(async () => {
  await example?.stop()
  await database?.close()
})

const post = (path: string, body: unknown, cookie = '') =>
  fetch(url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', cookie },
    body: JSON.stringify(body),
  })

test('an order needs a login, is sent by the worker, and the page hears of it', async () => {
  expect((await post('/orders', { product: 'tea' })).status).toBe(401)
  expect((await post('/login', { user: '' })).status).toBe(400)
  const login = await post('/login', { user: 'ada' })
  expect(login.status).toBe(204)
  const cookie = login.headers.get('set-cookie')?.split(';')[0] ?? ''

  const stream = await fetch(`${url}/events?ch=sent`)
  const reader = (stream.body as ReadableStream<Uint8Array>).getReader()
  let heard = ''
  const listening = async (pattern: RegExp) => {
    while (!pattern.test(heard)) {
      const { value, done } = await reader.read()
      if (done) throw new Error(`The events ended after: ${heard}`)
      heard += Buffer.from(value).toString()
    }
  }
  await listening(/event: subd/)
  const response = await post('/orders', { product: 'tea' }, cookie)
  expect(response.status).toBe(202)
  const { order } = (await response.json()) as { order: string }
  await listening(new RegExp(`"order":"${order}"`))
  await reader.cancel()
  const pool = database.pool()
  const { rows } = await pool.query('select customer, sent from shop_order')
  await pool.end()
  expect(rows).toEqual([{ customer: 'ada', sent: true }])
})

test('prices come from the cache, and the metrics tell', async () => {
  for (let n = 0; n < 2; n++) {
    const price = await fetch(`${url}/prices/coffee`)
    expect(await price.json()).toEqual({ product: 'coffee', cents: 106 })
  }
  const response = await fetch(`${url}/metrics`)
  const samples = parseOpenMetrics(await response.text()).flatMap((family) => family.samples)
  const hits = samples.find(({ name }) => name === 'howdah_cache_hits_total')
  expect(hits).toMatchObject({ labels: { namespace: 'prices' }, value: 1 })
  const down = samples.filter(({ name, value }) => name === 'howdah_source_up' && value !== 1)
  expect(down).toEqual([])
})

test('it ends cleanly when it is told to', async () => {
  expect(await example.stop()).toBe(0)
  await expect.poll(() => database.sessions()).toEqual([])
})
