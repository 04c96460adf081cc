import { findPgBouncer, startPgBouncer, type TestDatabase, testDatabase } from '@howdah/testkit'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { notTested } from '../../../scripts/not-tested.js'
import { channelOf } from '../src/hub/channel.js'
import type { DatabaseOptions } from '../src/index.js'
import { App, eventually, hubSessions, Recorder } from './hub-support.js'

const present = findPgBouncer() !== undefined
if (!present) notTested('the hub behind PgBouncer', 'there is no pgbouncer on this machine')

/** PgBouncer before 1.21 knows no prepared statements in transaction mode. */
const POOLED: DatabaseOptions = { prepare: false, hub: { pollInterval: '20ms' } }

let database: TestDatabase

beforeAll(async () => {
  database = await testDatabase()
})
afterAll(() => database.close())

async function startPooler(poolMode: 'transaction' | 'session') {
  return startPgBouncer({ url: database.url, poolMode, settings: { default_pool_size: 4 } })
}

async function exchange(one: App, two: App): Promise<void> {
  const [first, second] = [new Recorder(), new Recorder()]
  await one.hub.register('k', first)
  await two.hub.register('k', second)
  const sent: unknown[] = []
  for (let i = 0; i < 20; i++) {
    const payload = 'é'.repeat(i * 800)
    await (i % 2 === 0 ? one : two).hub.send('k', 'n', payload)
    sent.push(payload)
  }
  one.hub.ring('k', 'bell')
  sent.push(undefined)
  await eventually(() => first.payloads).toEqual(sent)
  await eventually(() => second.payloads).toEqual(sent)
}

/** Every statement that any session of the database listens with now, as the sessions themselves tell it. */
async function listeners(pooledUrl: string): Promise<string[]> {
  const clients = Array.from({ length: 4 }, () => new pg.Client({ connectionString: pooledUrl }))
  await Promise.all(clients.map((client) => client.connect()))
  // Held in transactions, so that each looks at another server connection of the pooler.
  await Promise.all(clients.map((client) => client.query('begin')))
  const found = await Promise.all(
    clients.map((client) => client.query('select pg_listening_channels() as channel')),
  )
  await Promise.all(clients.map((client) => client.end()))
  return found.flatMap(({ rows }) => rows.map(({ channel }) => channel))
}

test.runIf(present)('behind PgBouncer in transaction mode, a direct URL listens', async () => {
  await using bouncer = await startPooler('transaction')
  await using one = new App(bouncer.url, { ...POOLED, listen: database.url })
  await using two = new App(bouncer.url, { ...POOLED, listen: database.url })
  await exchange(one, two)
  expect([one.hub.state, two.hub.state]).toEqual(['listening', 'listening'])
  expect(one.errors).toEqual([])
  expect(await listeners(bouncer.url)).toEqual([])
})

test.runIf(present)(
  'behind PgBouncer in transaction mode without a direct URL it polls, and no LISTEN is left anywhere',
  async () => {
    await using bouncer = await startPooler('transaction')
    await using one = new App(bouncer.url, POOLED)
    await using two = new App(bouncer.url, POOLED)
    await exchange(one, two)
    expect([one.hub.state, two.hub.state]).toEqual(['polling', 'polling'])
    expect(one.hub.stats().pollingBecause).toMatch(/pooler/)
    expect(one.errors).toEqual([])
    expect(await listeners(bouncer.url)).toEqual([])
  },
)

test.runIf(present)(
  'pollers behind PgBouncer and listeners without it understand each other',
  async () => {
    await using bouncer = await startPooler('transaction')
    await using pooled = new App(bouncer.url, POOLED)
    await using direct = new App(database.url)
    await exchange(pooled, direct)
    expect([pooled.hub.state, direct.hub.state]).toEqual(['polling', 'listening'])
  },
)

test.runIf(present)(
  'a pooler given as the direct URL in session mode listens, since it hears',
  async () => {
    await using bouncer = await startPooler('session')
    await using one = new App(database.url, { ...POOLED, listen: bouncer.url })
    await using two = new App(database.url)
    await exchange(one, two)
    expect(one.hub.state).toBe('listening')
  },
)

test('a listen URL of another database is found deaf: it polls, and says why', async () => {
  await using elsewhere = await testDatabase()
  await using app = new App(database.url, { ...POOLED, listen: elsewhere.url })
  await using other = new App(database.url)
  await exchange(app, other)
  expect(app.hub.state).toBe('polling')
  expect(app.hub.stats().pollingBecause).toMatch(/does not hear/)
  expect(app.errors).toMatchObject([
    { code: 'CORE_HUB_DEAF', message: expect.stringContaining('option listen') },
  ])
  expect(await hubSessions(elsewhere)).toBe(0)
})

test('a pool that is busy says nothing about the connection, and the self-test is made up for', async () => {
  const hub = { selfTest: '100ms', liveness: '1s' } as const
  await using elsewhere = await testDatabase()
  await using deaf = new App(database.url, { listen: elsewhere.url, hub }, { max: 1 })
  await using sound = new App(database.url, { hub }, { max: 1 })
  for (const app of [deaf, sound]) {
    const busy = await app.pool.connect()
    await app.hub.register('k', new Recorder())
    expect(app.hub.state).toBe('listening')
    busy.release()
  }
  await eventually(() => deaf.hub.state).toBe('polling')
  expect(deaf.errors).toContainEqual(expect.objectContaining({ code: 'CORE_HUB_DEAF' }))
  await eventually(() => sound.hub.state).toBe('listening')
})

test('the self-test leaves nothing on the channel that others would stumble over', async () => {
  await using app = new App(database.url)
  await app.hub.register('k', new Recorder())
  await using another = new App(database.url)
  await another.hub.register('k', new Recorder())
  await app.pool.query('select pg_notify($1, $2)', [channelOf('howdah'), '?AAAA'])
  const recorder = new Recorder()
  await app.hub.register('k', recorder)
  await another.hub.send('k', 'n', 1)
  await eventually(() => recorder.payloads).toEqual([1])
  expect(app.errors).toEqual([])
})
