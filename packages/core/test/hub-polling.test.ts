import { type PostgresServer, startPostgres, startProxy, type TestDatabase } from '@howdah/testkit'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Database, type DatabaseOptions, type PoolLike } from '../src/index.js'
import { hubEnterPoller } from '../src/sql/hub-enter-poller.js'
import { hubKeepPolling } from '../src/sql/hub-keep-polling.js'
import { hubPrune } from '../src/sql/hub-prune.js'
import { App, eventually, hubSessions, leavesNothingOpen, Recorder } from './hub-support.js'

const POLL_OFTEN: DatabaseOptions = { hub: { pollInterval: '20ms' } }
const POLL: DatabaseOptions = { ...POLL_OFTEN, listen: false }

let server: PostgresServer
let database: TestDatabase

// A server of our own: any transaction that runs on it while a poller enters makes for one gap more.
beforeAll(async () => {
  server = await startPostgres({ settings: { autovacuum: false } })
  database = await server.createDatabase()
})
afterAll(() => server?.close())

test('a hub that must not listen polls, and delivers the same messages in the same order', async () => {
  await using polls = new App(database.url, POLL)
  await using listens = new App(database.url)
  const [here, there] = [new Recorder(), new Recorder()]
  await polls.hub.register('k', here)
  await listens.hub.register('k', there)
  expect(polls.hub.state).toBe('polling')
  expect(polls.hub.stats().pollingBecause).toMatch(/listen is false/)
  expect(await hubSessions(database)).toBe(1)
  for (let i = 0; i < 20; i++) {
    await listens.hub.send('k', `n ${i}`, 'ö'.repeat(i * 900))
    await polls.hub.send('k', `m ${i}`, i)
    polls.hub.ring('k', `bell ${i}`)
  }
  await eventually(() => there.log.length).toBe(60)
  await eventually(() => here.log.length).toBe(60)
  // Bells go out beside the messages, and what two connections send at once has no order.
  const bells = (recorder: Recorder) => recorder.messages.filter(([name]) => /bell/.test(name))
  const others = (recorder: Recorder) => recorder.messages.filter(([name]) => !/bell/.test(name))
  expect(others(here)).toEqual(others(there))
  expect(bells(here)).toEqual(bells(there))
  expect(polls.errors).toEqual([])
})

test('nothing is kept while nobody polls', async () => {
  await using app = new App(database.url, { schema: 'quiet' })
  await app.hub.register('k', new Recorder())
  await app.hub.send('k', 'n', 'x'.repeat(30_000))
  const { rows } = await app.pool.query('select count(*)::int as n from quiet.hub_message')
  expect(rows[0].n).toBe(0)
})

test('a pool of unknown make is polled through', async () => {
  const real = new pg.Pool({ connectionString: database.url })
  const unknown: PoolLike = {
    query: (config) => real.query(config as pg.QueryConfig),
    connect: () => real.connect(),
  }
  const db = Database.from(unknown, POLL_OFTEN)
  const recorder = new Recorder()
  await db.hub.register('k', recorder)
  await db.hub.send('k', 'n', 1)
  await eventually(() => recorder.payloads).toEqual([1])
  expect(db.hub.stats().pollingBecause).toMatch(/no way to open a connection/)
  await db.close()
  await real.end()
})

test('nothing is lost, doubled or turned round, in whatever order overlapping transactions commit', async () => {
  await using app = new App(database.url, POLL)
  await using other = new App(database.url, POLL)
  const [one, two] = [new Recorder(), new Recorder()]
  await app.hub.register('k', one)
  await other.hub.register('k', two)
  const committed: string[] = []
  const writer = async (id: number) => {
    const client = new pg.Client({ connectionString: database.url })
    await client.connect()
    for (let step = 0; step < 25; step++) {
      const repeatable = Math.random() < 0.3
      await client.query(
        `begin isolation level ${repeatable ? 'repeatable read' : 'read committed'}`,
      )
      const payloads: string[] = []
      for (let n = Math.ceil(Math.random() * 3); n > 0; n--) {
        const payload = `${id}:${step}:${n}${Math.random() < 0.2 ? 'x'.repeat(9_000) : ''}`
        await app.hub.send('k', `${id}`, payload, { client })
        payloads.push(payload)
        await client.query('select pg_sleep(random() * 0.02)')
      }
      const commits = Math.random() < 0.8
      await client.query(commits ? 'commit' : 'rollback')
      if (commits) committed.push(...payloads)
    }
    await client.end()
  }
  await Promise.all(Array.from({ length: 8 }, (_, id) => writer(id)))
  for (const recorder of [one, two]) {
    await eventually(() => recorder.messages.length).toBeGreaterThanOrEqual(committed.length)
    expect([...recorder.payloads].sort()).toEqual([...committed].sort())
    for (let id = 0; id < 8; id++) {
      const mine = (payload: unknown) => String(payload).startsWith(`${id}:`)
      expect(recorder.payloads.filter(mine)).toEqual(committed.filter(mine))
    }
  }
  expect(app.errors).toEqual([])
})

test('a sender whose snapshot is older than the poller still finds it', async () => {
  await using app = new App(database.url, POLL)
  await app.hub.send('k', 'n', 'makes the tables')
  const client = new pg.Client({ connectionString: database.url })
  await client.connect()
  await client.query('begin isolation level serializable')
  await client.query('select count(*) from howdah.hub_poller')
  const recorder = new Recorder()
  await app.hub.register('k', recorder)
  await app.hub.send('k', 'n', 'found', { client })
  await client.query('commit')
  await eventually(() => recorder.log).toEqual([['n', 'found']])
  await client.end()
})

test('what was sent before the poller came and committed after it is reported as a gap', async () => {
  await using app = new App(database.url, { ...POLL, schema: 'late' })
  await app.hub.send('k', 'n', 'makes the tables')
  const client = new pg.Client({ connectionString: database.url })
  await client.connect()
  await client.query('begin')
  await app.hub.send('k', 'n', 'unseen', { client })
  const recorder = new Recorder()
  await app.hub.register('k', recorder)
  await app.hub.send('k', 'n', 'between')
  await eventually(() => recorder.log).toEqual([['n', 'between']])
  await client.query('commit')
  await eventually(() => recorder.log).toEqual([['n', 'between'], 'gap'])
  await app.hub.send('k', 'n', 'after')
  await eventually(() => recorder.log).toEqual([['n', 'between'], 'gap', ['n', 'after']])
  await client.end()
})

test('a backlog larger than a page is read page by page, in order', async () => {
  await using app = new App(database.url, POLL)
  const recorder = new Recorder()
  await app.hub.register('k', recorder)
  const payloads = Array.from({ length: 14 }, (_, i) => String(i).padStart(2, '0').repeat(500_000))
  const client = new pg.Client({ connectionString: database.url })
  await client.connect()
  await client.query('begin')
  for (const payload of payloads) await app.hub.send('k', 'n', payload, { client })
  await client.query('commit')
  await eventually(() => recorder.messages.length).toBe(payloads.length)
  expect(recorder.payloads).toEqual(payloads)
  await client.end()
})

test('a poller that lost its claim enters anew and reports a gap', async () => {
  await using app = new App(database.url, POLL)
  const recorder = new Recorder()
  await app.hub.register('k', recorder)
  const losses = [
    'delete from howdah.hub_poller',
    "update howdah.hub_poller set seen_at = now() - interval '1 minute'",
  ]
  for (const [index, loss] of losses.entries()) {
    await app.pool.query(loss)
    await eventually(() => recorder.gaps).toBeGreaterThanOrEqual(index + 1)
    await app.hub.send('k', 'n', index)
    await eventually(() => recorder.payloads).toContain(index)
  }
  expect(app.hub.state).toBe('polling')
})

test('a poller that expired cannot renew its claim', async () => {
  await using app = new App(database.url, { ...POLL, schema: 'expired' })
  await app.hub.send('k', 'n')
  const { db } = app
  await db.query(hubEnterPoller(db.schema, 'p'))
  const seen = 'select seen_at::text, snapshot::text from expired.hub_poller'
  const renew = () => db.query(hubKeepPolling(db.schema, 'p', '5:5:', 30_000, 60_000))
  await renew()
  expect((await app.pool.query(seen)).rows[0].snapshot).toBe('5:5:')
  await app.pool.query(
    "update expired.hub_poller set seen_at = now() - interval '31 s', snapshot = '3:3:'",
  )
  const before = (await app.pool.query(seen)).rows
  await renew()
  expect((await app.pool.query(seen)).rows).toEqual(before)
})

test('messages are pruned once every poller that lives has read them, and no sooner', async () => {
  await using app = new App(database.url, { ...POLL, schema: 'prune' })
  const unregister = await app.hub.register('k', new Recorder())
  await unregister()
  const { db, pool } = app
  const count = async () =>
    (await pool.query('select count(*)::int as n from prune.hub_message')).rows[0].n
  const snapshot = async () =>
    (await pool.query('select pg_current_snapshot()::text as s')).rows[0].s
  const prune = () => db.query(hubPrune(db.schema, 30_000))
  const read = async (id: string) =>
    db.query(hubKeepPolling(db.schema, id, await snapshot(), 30_000, 60_000))
  for (const id of ['a', 'b', 'dead']) await db.query(hubEnterPoller(db.schema, id))
  await app.hub.send('k', 'n', 1)
  await prune()
  expect(await count()).toBe(1)
  await read('a')
  await prune()
  expect(await count()).toBe(1)
  await read('b')
  await app.hub.send('k', 'n', 2)
  await pool.query(
    "update prune.hub_poller set seen_at = now() - interval '31 s' where id = 'dead'",
  )
  await prune()
  expect(await count()).toBe(1)
  const { rows } = await pool.query('select id from prune.hub_poller order by id')
  expect(rows).toEqual([{ id: 'a' }, { id: 'b' }])
  await pool.query('delete from prune.hub_poller')
  await prune()
  expect(await count()).toBe(0)
})

test('a poller that goes takes its row with it, and leaves no timer', async () => {
  await using watcher = new App(database.url)
  await leavesNothingOpen(async () => {
    await using app = new App(database.url, { ...POLL, schema: 'goes' })
    await app.hub.register('k', new Recorder())
    const { rows } = await watcher.pool.query('select id from goes.hub_poller')
    expect(rows).toHaveLength(1)
  })
  expect((await watcher.pool.query('select id from goes.hub_poller')).rows).toEqual([])
})

test('polling uses the pool only as long as a query takes', async () => {
  await using app = new App(database.url, POLL, { max: 1 })
  const recorder = new Recorder()
  await app.hub.register('k', recorder)
  await app.db.transaction(async (tx) => {
    await tx.query('select 1')
    await app.hub.send('k', 'n', 1, { client: tx })
  })
  await eventually(() => recorder.payloads).toEqual([1])
})

test('a hub that cannot reach its listen URL polls, and listens once it can', async () => {
  await using proxy = await startProxy({
    host: '127.0.0.1',
    port: server.port,
  })
  await proxy.refuse()
  const hub = { pollInterval: '20ms', reconnectMax: '50ms' } as const
  await using app = new App(database.url, { listen: proxy.url(database.url), hub })
  const recorder = new Recorder()
  await app.hub.register('k', recorder)
  expect(app.hub.state).toBe('polling')
  await app.hub.send('k', 'n', 'polled')
  await eventually(() => recorder.log).toEqual([['n', 'polled']])
  await proxy.accept()
  await eventually(() => app.hub.state).toBe('listening')
  await app.hub.send('k', 'n', 'heard')
  await eventually(() => recorder.log).toEqual([['n', 'polled'], 'gap', ['n', 'heard']])
  expect(app.states).toEqual(['connecting', 'polling', 'listening'])
})

test('while a polling hub tries out a connection, nothing is taken from it', async () => {
  await using other = new App(database.url)
  await using proxy = await startProxy({
    host: '127.0.0.1',
    port: server.port,
  })
  await proxy.refuse()
  const hub = {
    ...POLL_OFTEN.hub,
    reconnectMax: '50ms',
    selfTest: '1s',
  } as const
  await using app = new App(database.url, { listen: proxy.url(database.url), hub }, { max: 1 })
  const recorder = new Recorder()
  await app.hub.register('k', recorder)
  expect(app.hub.state).toBe('polling')
  // Neither a poll nor the self-test gets a connection now; the self-test is given up after its second.
  const busy = await app.pool.connect()
  await proxy.accept()
  await eventually(() => hubSessions(database)).toBe(1)
  await other.hub.send('k', 'n', 'meanwhile')
  await eventually(() => app.hub.state).toBe('listening')
  await other.hub.send('k', 'n', 'after')
  await eventually(() => recorder.log).toEqual(['gap', ['n', 'after']])
  busy.release()
})

test('a poller survives the server: a restart loses nothing, a crash is a gap', async () => {
  await using app = new App(database.url, { listen: false, hub: { pollInterval: '500ms' } })
  const recorder = new Recorder()
  await app.hub.register('k', recorder)
  const sendNow = (payload: string) =>
    eventually(() =>
      app.hub.send('k', 'n', payload).then(
        () => true,
        () => false,
      ),
    ).toBe(true)

  // Most likely not read before the server goes.
  const client = new pg.Client({ connectionString: database.url })
  client.on('error', () => {})
  await client.connect()
  await app.hub.send('k', 'n', 'kept', { client })
  await server.restart()
  await sendNow('after the restart')
  await eventually(() => recorder.log).toEqual([
    ['n', 'kept'],
    ['n', 'after the restart'],
  ])

  await server.kill()
  await server.start()
  await eventually(() => recorder.gaps).toBe(1)
  await sendNow('after the crash')
  await eventually(() => recorder.payloads).toContain('after the crash')
  expect(recorder.log.indexOf('gap')).toBeLessThan(
    recorder.log.findIndex(([, payload]) => payload === 'after the crash'),
  )
})
