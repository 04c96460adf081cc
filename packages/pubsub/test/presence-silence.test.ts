import { startProxy, type TestDatabase, testDatabase } from '@howdah/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { App, eventually, idsOf, startProcess, watch } from './presence-support.js'

let database: TestDatabase

beforeAll(async () => {
  database = await testDatabase()
})
afterAll(() => database.close())

test('who is in a stopped process or behind a frozen network is hidden after a while, has lost nothing, and is there again', async () => {
  const { hostname, port } = new URL(database.url)
  await using proxy = await startProxy({ host: hostname, port: Number(port) })
  const frozen = new App(database.url, { listen: proxy.url(database.url), hub: { liveness: '1m' } })
  const app = new App(database.url)
  const room = app.pubsub.presence('room')
  await frozen.pubsub.presence('room').join('frozen')
  const stopped = await startProcess(database.url, 'room', ['stopped'])
  await room.join('here')
  const audience = await watch(room)
  expect(audience.ids).toEqual(['frozen', 'here', 'stopped'])
  stopped.kill('SIGSTOP')
  proxy.freeze()
  await expect.poll(() => idsOf(room), { timeout: 40_000 }).toEqual(['here'])
  await eventually(() => audience.ids).toEqual(['here'])
  const { rows } = await app.pool.query('select id from howdah.presence_member order by id')
  expect(rows.map(({ id }) => id)).toEqual(['frozen', 'here', 'stopped'])
  stopped.kill('SIGCONT')
  proxy.thaw()
  await eventually(() => audience.ids).toEqual(['frozen', 'here', 'stopped'])
  expect(await idsOf(room)).toEqual(['frozen', 'here', 'stopped'])
  await Promise.all([stopped.close(), frozen.close()])
}, 90_000)
