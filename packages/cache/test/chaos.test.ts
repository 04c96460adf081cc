import { type PostgresServer, startPostgres, type TestDatabase } from '@howdah/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Chaos } from './chaos-support.js'

let server: PostgresServer
let database: TestDatabase

beforeAll(async () => {
  server = await startPostgres()
  database = await server.createDatabase()
})
afterAll(() => server?.close())

test('no read lies more than maxStale behind an acknowledged write, whatever fails', async () => {
  const chaos = new Chaos(server, database, 'sound')
  await chaos.start(database.url, 'none', 1)
  await chaos.bursts(15)
  for (let round = 0; round < 2; round++) {
    await chaos.killListeners()
    await chaos.bursts(8)
  }
  for (const proxy of chaos.proxies) proxy.freeze()
  await chaos.bursts(10)
  for (const proxy of chaos.proxies) proxy.thaw()
  await chaos.bursts(8)
  const [first] = chaos.proxies
  first?.freeze()
  await chaos.bursts(20)
  first?.cut()
  first?.thaw()
  await chaos.bursts(8)
  await chaos.crash()
  await chaos.bursts(25)
  const verdict = await chaos.end()
  expect(verdict).toMatchObject({ violations: 0 })
  expect(verdict.reads).toBeGreaterThan(10_000)
  expect(verdict.hitRatio).toBeGreaterThan(0.9)
}, 90_000)

test('without the fill guard, the same finds stale reads', async () => {
  const chaos = new Chaos(server, database, 'no guard')
  await chaos.start(database.url, 'no fill guard', 0)
  await chaos.bursts(50)
  const { violations } = await chaos.end()
  expect(violations).toBeGreaterThan(0)
}, 60_000)

test('without the proof of freshness, the same finds stale reads', async () => {
  const chaos = new Chaos(server, database, 'no proof')
  await chaos.start(database.url, 'no freshness', 0)
  for (const proxy of chaos.proxies) proxy.freeze()
  await chaos.bursts(20)
  const { violations } = await chaos.end()
  expect(violations).toBeGreaterThan(0)
}, 60_000)
