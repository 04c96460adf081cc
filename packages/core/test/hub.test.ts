import { type TestDatabase, testDatabase } from '@howdah/testkit'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { channelOf } from '../src/hub/channel.js'
import { Doorbell } from '../src/hub/doorbell.js'
import { encodeMessage } from '../src/hub/message.js'
import { Database, isHowdahError } from '../src/index.js'
import { App, eventually, hubSessions, Recorder } from './hub-support.js'

let database: TestDatabase

beforeAll(async () => {
  database = await testDatabase()
})
afterAll(() => database.close())

test('register() opens one LISTEN connection, whatever is registered, and the last to go closes it', async () => {
  await using app = new App(database.url)
  expect(app.hub.state).toBe('idle')
  const first = await app.hub.register('a', new Recorder())
  const second = await app.hub.register('b', new Recorder())
  expect(app.hub.state).toBe('listening')
  expect(await hubSessions(database)).toBe(1)
  await first()
  expect(app.hub.state).toBe('listening')
  await second()
  expect(app.hub.state).toBe('idle')
  await eventually(() => hubSessions(database)).toBe(0)
  await app.hub.register('a', new Recorder())
  expect(app.states).toEqual(['connecting', 'listening', 'idle', 'connecting', 'listening'])
})

test('send() reaches every process that registered the kind, its own included, and no other kind', async () => {
  await using one = new App(database.url)
  await using two = new App(database.url)
  const [here, there, other] = [new Recorder(), new Recorder(), new Recorder()]
  await one.hub.register('k', here)
  await two.hub.register('k', there)
  await two.hub.register('other', other)
  await one.hub.send('k', 'n', { deep: [1, 'two', null] })
  await one.hub.send('k', 'bell')
  const expected = [
    ['n', { deep: [1, 'two', null] }],
    ['bell', undefined],
  ]
  await eventually(() => there.log).toEqual(expected)
  await eventually(() => here.log).toEqual(expected)
  expect(other.log).toEqual([])
})

test('two schemas of one database do not hear each other', async () => {
  await using one = new App(database.url, { schema: 'first' })
  await using two = new App(database.url, { schema: 'we "ird' })
  const [here, there] = [new Recorder(), new Recorder()]
  await one.hub.register('k', here)
  await two.hub.register('k', there)
  await one.hub.send('k', 'n', 1)
  await two.hub.send('k', 'n', 2)
  await eventually(() => here.payloads).toEqual([1])
  await eventually(() => there.payloads).toEqual([2])
})

test('messages arrive in the order of the calls, however large they are', async () => {
  await using one = new App(database.url)
  await using two = new App(database.url)
  const recorder = new Recorder()
  await two.hub.register('k', recorder)
  const sent = Array.from(
    { length: 3000 },
    (_, i) => `${i}${i % 50 === 0 ? 'ö'.repeat(i * 9) : ''}`,
  )
  const waves = [sent.slice(0, 1000), sent.slice(1000)]
  await Promise.all((waves[0] as string[]).map((payload) => one.hub.send('k', 'n', payload)))
  await Promise.all((waves[1] as string[]).map((payload) => one.hub.send('k', 'n', payload)))
  await eventually(() => recorder.messages.length).toBe(3000)
  expect(recorder.payloads).toEqual(sent)
})

test('sends of one moment share a statement', async () => {
  await using app = new App(database.url)
  const before = app.hub.stats().sends
  await Promise.all(Array.from({ length: 500 }, (_, i) => app.hub.send('k', 'n', i)))
  expect(app.hub.stats().sends - before).toBe(1)
})

test('a send on a transaction goes out with its commit, and not at all with its rollback', async () => {
  await using app = new App(database.url)
  const recorder = new Recorder()
  await app.hub.register('k', recorder)
  const failure = app.db.transaction(async (tx) => {
    await app.hub.send('k', 'n', 'rolled back', { client: tx })
    throw new Error('no')
  })
  await expect(failure).rejects.toThrow('no')
  await app.db.transaction(async (tx) => {
    await app.hub.send('k', 'n', 'equal', { client: tx })
    await app.hub.send('k', 'n', 'equal', { client: tx })
    await app.hub.send('k', 'n', 'x'.repeat(20_000), { client: tx })
    await app.hub.send('k', 'n', 'outside')
    await eventually(() => recorder.payloads).toEqual(['outside'])
  })
  await expect
    .poll(() => recorder.payloads)
    .toEqual(['outside', 'equal', 'equal', 'x'.repeat(20_000)])
})

test('hostile names and payloads arrive as they are', async () => {
  await using app = new App(database.url)
  const recorder = new Recorder()
  const hostile = [
    '',
    '__proto__',
    'constructor',
    '"; drop table x; --',
    "it's",
    '\0',
    '\ud800',
    '~AAAAAAAAAAAA.1.0.2~',
    '?',
    '[1]',
    '\n\u2028\\',
    'n'.repeat(100_000),
    '😀'.repeat(5_000),
  ]
  await app.hub.register('__proto__', recorder)
  for (const name of hostile) await app.hub.send('__proto__', name, name)
  await app.hub.send('__proto__', 'object', JSON.parse('{"__proto__": {"polluted": true}}'))
  await eventually(() => recorder.messages.length).toBe(hostile.length + 1)
  expect(recorder.messages.slice(0, -1)).toEqual(hostile.map((name) => [name, name]))
  expect(JSON.stringify(recorder.payloads.at(-1))).toBe('{"__proto__":{"polluted":true}}')
  expect({}).not.toHaveProperty('polluted')
  expect(app.errors).toEqual([])
})

test('what cannot be sent is refused before anything is', async () => {
  await using app = new App(database.url)
  const cycle: unknown[] = []
  cycle.push(cycle)
  const { hub } = app
  const refused = async (code: string, send: Promise<void>) =>
    expect(await send.catch((error) => error)).toMatchObject({ name: 'HowdahError', code })
  await refused('CORE_PAYLOAD_TOO_LARGE', hub.send('k', 'n', 'x'.repeat(1024 * 1024)))
  await refused('CORE_PAYLOAD_TOO_LARGE', hub.send('k', 'é'.repeat(600_000)))
  await refused('CORE_INVALID_OPTION', hub.send('k', 'n', cycle))
  await refused('CORE_INVALID_OPTION', hub.send('k', 'n', 1n))
  await refused(
    'CORE_INVALID_OPTION',
    hub.send('k', 'n', () => {}),
  )
  await refused('CORE_INVALID_NAME', hub.send('', 'n', 1))
  await refused('CORE_INVALID_NAME', hub.send('k', 7 as unknown as string, 1))
  await refused('CORE_UNKNOWN_CLIENT', hub.send('k', 'n', 1, { client: {} as never }))
  await expect(hub.register('', new Recorder())).rejects.toMatchObject({
    code: 'CORE_INVALID_NAME',
  })
  expect(app.pool.totalCount).toBeLessThanOrEqual(1)
})

test('ring() carries 10,000 bells in a few statements, each name at least once, and the first at once', async () => {
  await using one = new App(database.url)
  await using two = new App(database.url)
  const recorder = new Recorder()
  await two.hub.register('bell', recorder)
  await one.hub.send('other', 'warm up')
  const before = one.hub.stats().sends
  for (let i = 0; i < 10_000; i++) {
    one.hub.ring('bell', `name ${i % 100}`)
    if (i % 1000 === 999) await new Promise((resolve) => setImmediate(resolve))
  }
  await eventually(() => new Set(recorder.messages.map(([name]) => name)).size).toBe(100)
  expect(recorder.payloads.every((payload) => payload === undefined)).toBe(true)
  expect(one.hub.stats().sends - before).toBeLessThanOrEqual(12)
  expect(recorder.messages.length).toBeLessThanOrEqual(1200)
})

test('bells are sent at most every 3 ms, however quick the database is', async () => {
  let sends = 0
  const doorbell = new Doorbell(
    async () => {
      sends++
    },
    (error) => expect.fail(String(error)),
  )
  const start = performance.now()
  for (let i = 0; performance.now() - start < 100; i++) {
    doorbell.ring(encodeMessage('bell', `name ${i}`, undefined))
    await new Promise((resolve) => setImmediate(resolve))
  }
  expect(sends).toBeGreaterThan(1)
  expect(sends).toBeLessThanOrEqual((performance.now() - start) / 3 + 1)
  await doorbell.drained()
})

test('a bell that rings while its statement is under way rings again', async () => {
  await using app = new App(database.url)
  const recorder = new Recorder()
  await app.hub.register('bell', recorder)
  app.hub.ring('bell', 'a')
  await eventually(() => recorder.messages.length === 1).toBe(true)
  app.hub.ring('bell', 'a')
  await eventually(() => recorder.messages.length === 2).toBe(true)
})

test('ring() never throws, and reports what goes wrong', async () => {
  await using app = new App(database.url)
  app.hub.ring('', 'n')
  app.hub.ring('k', undefined as unknown as string)
  expect(app.errors).toMatchObject([{ code: 'CORE_INVALID_NAME' }, { code: 'CORE_INVALID_NAME' }])
  await using broken = new App('postgres://nobody:x@127.0.0.1:1/none')
  broken.hub.ring('k', 'n')
  await eventually(() => broken.errors.length).toBe(1)
  expect(broken.hub.stats().lastError).toBe(broken.errors[0])
})

test('a handler that throws harms neither the hub nor other handlers', async () => {
  await using app = new App(database.url)
  const recorder = new Recorder()
  const throwing = () => {
    throw new Error('handler')
  }
  await app.hub.register('k', { onMessage: throwing, onGap: throwing })
  await app.hub.register('k', { onMessage: async () => throwing(), onGap: async () => throwing() })
  await app.hub.register('k', recorder)
  await app.hub.send('k', 'n', 1)
  await eventually(() => recorder.payloads).toEqual([1])
  await eventually(() => app.errors.length).toBe(2)
  expect(app.hub.state).toBe('listening')
})

test('an unregistered handler hears nothing more, also when it goes in the middle of a delivery', async () => {
  await using app = new App(database.url)
  const recorder = new Recorder()
  const gone = new Recorder()
  let unregister: (() => Promise<void>) | undefined
  await app.hub.register('k', { onMessage: () => void unregister?.(), onGap() {} })
  unregister = await app.hub.register('k', gone)
  await app.hub.register('k', recorder)
  await Promise.all([app.hub.send('k', 'n', 1), app.hub.send('k', 'n', 2)])
  await eventually(() => recorder.payloads).toEqual([1, 2])
  expect(gone.log).toEqual([])
})

test('notifications of strangers on the channel are reported and passed over', async () => {
  await using app = new App(database.url)
  const recorder = new Recorder()
  await app.hub.register('k', recorder)
  const strange = [
    '',
    'hello',
    '[',
    '{}',
    'null',
    '[3,"x",1,[]]',
    '[2,"x",1,[]]',
    '[2,"x",1,["k"]]',
    '[2,"x",1,["k",1,[]]]',
    '[2,"x",1,["k","n",1]]',
    '[2,"x",1,["k","n",{"__proto__":[]}]]',
    '[2,"x",1,["k","n",null]]',
    '[1]',
    '[1,"x",1,[["k"]]]',
    '[1,"x",1,[[1,2]]]',
    '[1,"x",1,{"__proto__":[]}]',
    '~',
    '~AAAAAAAAAAAA.1.5.2~x',
    '~AAAAAAAAAAAA.1.0.9999~x',
    '~AAAAAAAAAAAA.1.1.2~x',
  ]
  for (const payload of strange) {
    await app.pool.query('select pg_notify($1, $2)', [channelOf('howdah'), payload])
  }
  await app.pool.query('select pg_notify($1, $2)', [channelOf('howdah'), '~AAAAAAAAAAAA.1.0.2~x'])
  await app.hub.send('k', 'n', 'sound')
  await eventually(() => recorder.log).toEqual([['n', 'sound']])
  expect(app.errors).toHaveLength(strange.length)
  expect(app.errors.every((error) => isHowdahError(error, 'CORE_HUB_MALFORMED'))).toBe(true)
})

test('nothing goes after close(), which may be called again', async () => {
  const app = new App(database.url)
  await app.hub.register('k', new Recorder())
  app.hub.ring('k', 'last')
  await Promise.all([app.db.close(), app.db.close()])
  expect(app.hub.state).toBe('closed')
  expect(app.errors).toEqual([])
  await expect(app.hub.send('k', 'n')).rejects.toMatchObject({ code: 'CORE_CLOSED' })
  await expect(app.hub.register('k', new Recorder())).rejects.toMatchObject({ code: 'CORE_CLOSED' })
  app.hub.ring('k', 'n')
  expect(app.errors).toEqual([])
  await app.pool.end()
})

test('close() sends the bells that rang before it', async () => {
  await using two = new App(database.url)
  const recorder = new Recorder()
  await two.hub.register('k', recorder)
  const one = new App(database.url)
  await one.hub.send('other', 'warm up')
  for (let i = 0; i < 5; i++) one.hub.ring('k', `bell ${i}`)
  await one[Symbol.asyncDispose]()
  await eventually(() => recorder.messages.length).toBe(5)
})

test('a hub without tables refuses to send rather than to lose', async () => {
  await using app = new App(database.url, { schema: 'nothing_here' })
  await app.hub.send('k', 'n')
  await app.pool.query('drop schema nothing_here cascade')
  await expect(app.hub.send('k', 'n')).rejects.toMatchObject({
    code: expect.stringMatching(/^(3F000|42883|42P01)$/),
  })
})

test('with manual migrations and no tables, send() and ring() say what to run, and listening works', async () => {
  await using app = new App(database.url, { schema: 'manual', migrate: 'manual' })
  await app.hub.register('k', new Recorder())
  expect(app.hub.state).toBe('listening')
  await expect(app.hub.send('k', 'n')).rejects.toMatchObject({ code: 'CORE_MIGRATION_REQUIRED' })
  app.hub.ring('k', 'n')
  await eventually(() => app.errors).toMatchObject([{ code: 'CORE_MIGRATION_REQUIRED' }])
})

test('the options of the hub are checked, and must not differ for one pool', async () => {
  const pool = new pg.Pool({ connectionString: database.url })
  const make = (hub: unknown) => Database.from(pool, { hub } as never)
  expect(() => make({ liveness: 'soon' })).toThrow(/hub\.liveness/)
  expect(() => make({ liveness: 0 })).toThrow(/hub\.liveness/)
  expect(() => make(7)).toThrow(/hub must be/)
  const db = make({ liveness: '2s' })
  expect(make({ liveness: 2000 })).toBe(db)
  expect(() => make({ liveness: '3s' })).toThrow(/'hub'/)
  expect(db.options.hub).toMatchObject({ liveness: 2000, selfTest: 3000 })
  await db.close()
  await pool.end()
})

test('stats() tells how the hub is doing', async () => {
  await using app = new App(database.url)
  expect(app.hub.stats()).toMatchObject({ state: 'idle', handlers: 0, lastAliveAt: undefined })
  const recorder = new Recorder()
  await app.hub.register('k', recorder)
  await app.hub.send('k', 'n')
  await eventually(() => recorder.messages.length).toBe(1)
  expect(app.hub.stats()).toMatchObject({
    state: 'listening',
    pollingBecause: undefined,
    handlers: 1,
    reconnects: 0,
    gaps: 0,
    received: 1,
    sends: 1,
    lastError: undefined,
  })
  expect(Date.now() - (app.hub.stats().lastAliveAt ?? 0)).toBeLessThan(60_000)
})
