import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { type MirrorMismatch, mirror, PgSessionStore } from '@howdah/session/express'
import { startProxy, type TestDatabase, testDatabase } from '@howdah/testkit'
import { RedisStore } from 'connect-redis'
import session, { type SessionData } from 'express-session'
import type { Pool } from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { ask, Browser, load, sessionOf, startApp } from './moving-support.js'
import { hasRedis, RedisServer } from './redis-server.js'

type Data = SessionData & Record<string, unknown>

let database: TestDatabase
let pool: Pool
let store: PgSessionStore

beforeAll(async () => {
  database = await testDatabase()
  pool = database.pool()
  store = new PgSessionStore({ pool, touchEvery: 0 })
})
beforeEach(() => store.clear())
afterAll(async () => {
  await store.close()
  await database.close()
})

const refOf = (id: string) => createHash('sha256').update(id).digest('hex')

/** What a store has, without the end of the cookie, which moves. */
async function has(of: session.Store, sid: string): Promise<Record<string, unknown> | null> {
  const found = await ask<SessionData>((done) => of.get(sid, done))
  if (!found) return null
  const { cookie: _, ...data } = JSON.parse(JSON.stringify(found))
  return data
}

/** A store in memory that can be made to fail, or never to answer. */
class Faulty extends session.MemoryStore {
  mode: 'works' | 'fails' | 'hangs' = 'works'

  #unless(callback: ((error?: unknown) => void) | undefined, works: () => void): void {
    if (this.mode === 'works') works()
    else if (this.mode === 'fails') process.nextTick(() => callback?.(new Error('down')))
  }

  override get(sid: string, callback: (error: unknown, session?: SessionData | null) => void) {
    this.#unless(callback, () => super.get(sid, callback))
  }
  override set(sid: string, data: SessionData, callback?: (error?: unknown) => void) {
    this.#unless(callback, () => super.set(sid, data, callback))
  }
  override touch(sid: string, data: SessionData, callback?: () => void) {
    this.#unless(callback, () => super.touch(sid, data, callback as () => void))
  }
  override destroy(sid: string, callback?: (error?: unknown) => void) {
    this.#unless(callback, () => super.destroy(sid, callback))
  }
}

describe.skipIf(!hasRedis)('an application on connect-redis', () => {
  test('moves to PostgreSQL, back, and forth again; Redis is killed; nobody is logged out', async () => {
    const server = await RedisServer.start()
    onTestFinished(() => server.close())
    const old = new RedisStore({ client: await server.client() })
    const before = await startApp(old)
    const users = Array.from({ length: 20 }, () => new Browser())
    for (const [at, user] of users.entries()) {
      await user.ask(before.url, 'POST', `/login/user${at}`)
      await user.ask(before.url, 'POST', '/items/first')
    }
    await before.close()

    const both = mirror(old, store, { readFrom: 'old', shadow: true })
    const mismatches: MirrorMismatch[] = []
    both.on('mismatch', (mismatch) => mismatches.push(mismatch))
    for (const user of users) user.reads = 0
    const app = await startApp(both)
    onTestFinished(() => app.close())
    const { url } = app
    const expectAll = async (items: string[]) => {
      for (const [at, user] of users.entries()) {
        const me = await user.ask(url, 'GET', '/me')
        expect(me).toMatchObject({ name: `user${at}`, items })
        expect(me.left).toBeGreaterThan(3_590_000)
      }
    }
    // Some are written to both before the import, and one logs out.
    await users[0]?.ask(url, 'POST', '/items/second')
    await users[1]?.ask(url, 'POST', '/logout')
    const { imported, refused } = await store.sessions.importFrom(old)
    expect([imported, refused]).toEqual([18, 0])
    await users[1]?.ask(url, 'POST', '/login/user1')
    await users[1]?.ask(url, 'POST', '/items/first')
    for (const user of users.slice(1)) await user.ask(url, 'POST', '/items/second')

    both.switch({ readFrom: 'new', shadow: true })
    await expectAll(['first', 'second'])
    for (const user of users) await user.ask(url, 'POST', '/items/third')

    both.switch({ readFrom: 'old', shadow: true })
    await expectAll(['first', 'second', 'third'])
    const lives = await Promise.all(
      (await old.ids()).map(async (sid: string) => {
        const { rows } = await pool.query(
          'select extract(epoch from expires_at - now()) * 1000 as ms from howdah.session where id_hash = sha256($1)',
          [Buffer.from(sid)],
        )
        return Math.abs(Number(rows[0].ms) - Number(await old.client.pTTL(`sess:${sid}`)))
      }),
    )
    expect(lives).toHaveLength(20)
    expect(Math.max(...lives)).toBeLessThan(3_000)

    both.switch({ readFrom: 'new', shadow: true })
    const reads = users.reduce((sum, user) => sum + user.reads, 0)
    await expect.poll(() => both.stats().compared).toBe(reads)
    // Of the two that came before the import, and of the one who logged out, neither has more than the other.
    expect(mismatches).toEqual([])
    expect(both.stats()).toMatchObject({ errorsInOld: 0, errorsInNew: 0, pendingEnds: 0 })

    await server.kill()
    await expectAll(['first', 'second', 'third'])
    for (const user of users) await user.ask(url, 'POST', '/items/fourth')
    await expectAll(['first', 'second', 'third', 'fourth'])
    const late = new Browser()
    expect(await late.ask(url, 'POST', '/login/late')).toMatchObject({ status: 200 })
    expect(await late.ask(url, 'GET', '/me')).toMatchObject({ name: 'late' })
    expect(both.stats().errorsInOld).toBeGreaterThan(20)

    // Redis still has it as far as anybody knows: whoever logs out is told so, and is logged out.
    const copy = users[0]?.clone()
    expect(await users[0]?.ask(url, 'POST', '/logout')).toMatchObject({
      status: 500,
      code: 'SESSION_NOT_ENDED',
    })
    expect(await copy?.ask(url, 'GET', '/me')).toMatchObject({ name: null })
    const again = await RedisServer.start(server.port)
    onTestFinished(() => again.close())
    await expect.poll(() => both.stats().pendingEnds).toBe(0)
  })
})

describe('the store that is not read from', () => {
  test.each(['fails', 'hangs'] as const)('%s, and no request does', async (mode) => {
    const other = new Faulty()
    const both = mirror(store, other, { readFrom: 'old', shadow: true, timeout: 50 })
    const failures: unknown[] = []
    both.on('mirror-error', (error, failure) => failures.push([(error as Error).message, failure]))
    const app = await startApp(both)
    onTestFinished(() => app.close())
    const user = new Browser()
    await user.ask(app.url, 'POST', '/login/ann')
    other.mode = mode
    await user.ask(app.url, 'POST', '/items/one')
    expect(await user.ask(app.url, 'GET', '/me')).toMatchObject({ name: 'ann', items: ['one'] })
    const login = await user.ask(app.url, 'POST', '/login/bob')
    expect(login.status).toBe(200)
    expect(await user.ask(app.url, 'GET', '/me')).toMatchObject({ name: 'bob' })
    await expect.poll(() => both.stats().errorsInNew).toBeGreaterThanOrEqual(5)
    const told = JSON.stringify(failures)
    for (const operation of ['get', 'set', 'touch', 'destroy']) {
      expect(told).toContain(`"operation":"${operation}"`)
    }
    expect(told).toMatch(mode === 'fails' ? /down/ : /has not answered within 50 ms/)
    expect(both.stats().pendingEnds).toBe(1)
    other.mode = 'works'
    await expect.poll(() => both.stats().pendingEnds).toBe(0)
  })

  test('is PostgreSQL behind a network that froze, and has everything once it thaws', async () => {
    const url = new URL(database.url)
    const proxy = await startProxy({ host: url.hostname, port: Number(url.port) })
    const { Pool } = await import('pg')
    const frozen = new Pool({ connectionString: proxy.url(database.url) })
    frozen.on('error', () => {})
    const far = new PgSessionStore({ pool: frozen, pruneInterval: false })
    onTestFinished(async () => {
      await far.close()
      await frozen.end()
      await proxy.close()
    })
    const old = new session.MemoryStore()
    const both = mirror(old, far, { readFrom: 'old', shadow: false, timeout: 100 })
    await both.set('kept', sessionOf({ step: 1 }))
    await both.set('ended', sessionOf({ step: 1 }))
    proxy.freeze()
    await both.set('kept', sessionOf({ step: 2 }))
    const late = both.set('ended', sessionOf({ step: 2 }))
    await expect(both.destroy('ended')).rejects.toMatchObject({ code: 'SESSION_NOT_ENDED' })
    await late
    expect(await has(old, 'kept')).toEqual({ step: 2 })
    proxy.thaw()
    await expect.poll(() => both.stats().pendingEnds).toBe(0)
    await expect.poll(() => has(far, 'kept')).toEqual({ step: 2 })
    expect([await has(old, 'ended'), await has(far, 'ended')]).toEqual([null, null])
  })

  test('when the one that is read from fails, so does the request', async () => {
    const leader = new Faulty()
    const both = mirror(leader, store, { readFrom: 'old', shadow: true })
    leader.mode = 'fails'
    await expect(both.get('a')).rejects.toThrow('down')
    await expect(both.set('a', sessionOf({}))).rejects.toThrow('down')
    await expect(both.touch('a', sessionOf({}))).rejects.toThrow('down')
    await expect(both.destroy('a')).rejects.toThrow('down')
    expect(await has(store, 'a')).toBeNull()
    leader.mode = 'works'
    await expect.poll(() => both.stats().pendingEnds).toBe(0)
  })
})

test('close() ends what is left to be ended, and waits for what is being compared', async () => {
  const faulty = new Faulty()
  const both = mirror(faulty, store, { readFrom: 'new', shadow: false })
  await both.set('a', sessionOf({ name: 'ann' }))
  await both.set('b', sessionOf({ name: 'bea' }))
  faulty.mode = 'fails'
  await expect(both.destroy('a')).rejects.toMatchObject({ code: 'SESSION_NOT_ENDED' })
  faulty.mode = 'works'
  both.switch({ readFrom: 'new', shadow: true })
  await both.get('b')
  await both.close()
  expect(both.stats()).toMatchObject({ pendingEnds: 0, compared: 1 })
  expect(await has(faulty, 'a')).toBeNull()
  // Requests that are still running are served.
  expect(await both.get('b')).toMatchObject({ name: 'bea' })
  expect(both.stats().compared).toBe(1)
})

describe('logout', () => {
  test.each(['old', 'new'] as const)(
    'with the other store down, read from %s: fails, cannot be read after a switch, and is done later',
    async (readFrom) => {
      const faulty = new Faulty()
      const [old, next] = readFrom === 'old' ? [store, faulty] : [faulty, store]
      const both = mirror(old, next, { readFrom, shadow: false })
      await both.set('a', sessionOf({ name: 'ann' }))
      const saving = (await load(both, 'a')) as Data
      faulty.mode = 'fails'
      await expect(both.destroy('a')).rejects.toMatchObject({ code: 'SESSION_NOT_ENDED' })
      faulty.mode = 'works'
      both.switch({ readFrom: readFrom === 'old' ? 'new' : 'old', shadow: false })
      expect(await both.get('a')).toBeNull()
      await both.set('a', saving)
      await expect.poll(() => both.stats().pendingEnds).toBe(0)
      expect([await has(store, 'a'), await has(faulty, 'a')]).toEqual([null, null])
    },
  )

  test.each([
    ['old', 'new'],
    ['new', 'old'],
  ] as const)(
    'a request that began before a switch from %s to %s does not undo it',
    async (a, b) => {
      const old = new session.MemoryStore()
      const both = mirror(old, store, { readFrom: a, shadow: false })
      await both.set('a', sessionOf({ name: 'ann' }))
      const request = (await load(both, 'a')) as Data
      both.switch({ readFrom: b, shadow: false })
      await both.destroy('a')
      await both.set('a', Object.assign(request, { step: 2 }))
      await both.set('a', Object.assign(request, { step: 3 }))
      expect([await has(old, 'a'), await has(store, 'a')]).toEqual([null, null])
    },
  )

  test('clear() ends all in both, and says where it could not', async () => {
    const old = new session.MemoryStore()
    const both = mirror(old, store, { readFrom: 'old', shadow: false })
    for (const sid of ['a', 'b']) await both.set(sid, sessionOf({ sid }))
    expect([await both.length(), await store.length()]).toEqual([2, 2])
    await both.clear()
    expect([await both.length(), await store.length()]).toEqual([0, 0])
  })
})

test.each([
  ['old', 'new'],
  ['new', 'old'],
] as const)(
  'a request that began before a switch from %s to %s saves what it changed',
  async (a, b) => {
    const old = new session.MemoryStore()
    const both = mirror(old, store, { readFrom: a, shadow: false })
    await both.set('a', sessionOf({ name: 'ann', gone: 1 }))
    const request = (await load(both, 'a')) as Data
    both.switch({ readFrom: b, shadow: false })
    delete request['gone']
    await both.set('a', Object.assign(request, { step: 2 }))
    for (const of of [old, store]) expect(await has(of, 'a')).toEqual({ name: 'ann', step: 2 })
  },
)

test('while the new store is read from, requests that change different keys both win, in both stores', async () => {
  const old = new session.MemoryStore()
  const both = mirror(old, store, { readFrom: 'new', shadow: false })
  await both.set('a', sessionOf({ name: 'ann' }))
  const requests = await Promise.all(Array.from({ length: 20 }, () => load(both, 'a')))
  await Promise.all(
    requests.map((request, at) =>
      both.set('a', Object.assign(request as Data, { [`k${at}`]: at })),
    ),
  )
  const keys = Object.fromEntries(requests.map((_, at) => [`k${at}`, at]))
  for (const of of [store, old]) expect(await has(of, 'a')).toEqual({ name: 'ann', ...keys })
})

test('a session that began while the old store was read from has its device', async () => {
  const both = mirror(new session.MemoryStore(), store, { readFrom: 'old', shadow: false })
  const app = await startApp(both)
  onTestFinished(() => app.close())
  await new Browser().ask(app.url, 'POST', '/login/ann')
  const { rows } = await pool.query('select address, user_agent from howdah.session')
  expect(rows).toEqual([{ address: '127.0.0.1', user_agent: expect.any(String) }])
})

describe('shadow', () => {
  test('tells what differs by its ref and kind, and neither ids nor values', async () => {
    const old = new session.MemoryStore()
    const both = mirror(old, store, { readFrom: 'old', shadow: true })
    const mismatches: MirrorMismatch[] = []
    both.on('mismatch', (mismatch) => mismatches.push(mismatch))
    await ask((done) => old.set('only-old', sessionOf({ secret: 1 }), done))
    await store.set('only-new', sessionOf({ secret: 1 }))
    await ask((done) => old.set('differs', sessionOf({ a: 1, b: { c: 'secret' }, d: 1 }), done))
    await store.set('differs', sessionOf({ a: 1, b: { c: 'other' }, e: 1 }))
    // Neither the order of keys nor the end of the cookie counts, nor a session that holds nothing.
    await ask((done) => old.set('same', sessionOf({ a: 1, b: { c: 1, d: 2 } }, 100_000), done))
    await store.set('same', sessionOf({ b: { d: 2, c: 1 }, a: 1 }, 100_000))
    await store.touch('same', sessionOf({}, 900_000))
    await ask((done) => old.set('empty', sessionOf({}), done))
    for (const readFrom of ['old', 'new'] as const) {
      mismatches.length = 0
      both.switch({ readFrom, shadow: true })
      const { compared } = both.stats()
      const sids = ['only-old', 'only-new', 'differs', 'same', 'empty', 'unknown']
      for (const sid of sids) await both.get(sid)
      await expect.poll(() => both.stats().compared).toBe(compared + 6)
      expect(mismatches.sort((a, b) => a.kind.localeCompare(b.kind))).toEqual([
        { ref: refOf('differs'), kind: 'different', keys: ['b', 'd', 'e'] },
        { ref: refOf('only-old'), kind: 'missing-in-new', keys: [] },
        { ref: refOf('only-new'), kind: 'missing-in-old', keys: [] },
      ])
    }
    expect(both.stats()).toMatchObject({ missingInOld: 2, missingInNew: 2, different: 2 })
    both.switch({ readFrom: 'old', shadow: false })
    await both.get('differs')
    expect(both.stats()).toMatchObject({ shadow: false, different: 2 })
  })

  test('does not tell of a write that only one store has yet', async () => {
    const old = new session.MemoryStore()
    const both = mirror(old, store, { readFrom: 'old', shadow: true })
    await ask((done) => old.set('a', sessionOf({ step: 1 }), done))
    await both.get('a')
    await store.set('a', sessionOf({ step: 1 }))
    await expect.poll(() => both.stats().compared).toBe(1)
    expect(both.stats()).toMatchObject({ missingInNew: 0, different: 0 })
  })
})

test('options are checked', () => {
  const old = new session.MemoryStore()
  const code = 'SESSION_INVALID_OPTION'
  for (const options of [undefined, {}, { readFrom: 'both', shadow: true }, { readFrom: 'old' }]) {
    expect(() => mirror(old, store, options as never)).toThrow(expect.objectContaining({ code }))
  }
  const valid = { readFrom: 'old', shadow: true } as const
  expect(() => mirror(old, old, valid)).toThrow(expect.objectContaining({ code }))
  expect(() => mirror({} as never, store, valid)).toThrow(expect.objectContaining({ code }))
  expect(() => mirror(old, store, { ...valid, timeout: 'soon' as never })).toThrow()
  const both = mirror(old, store, valid)
  expect(() => both.switch({ readFrom: 'x', shadow: true } as never)).toThrow()
  expect(both.stats()).toMatchObject(valid)
})

test('an error that a listener throws is the application’s', async () => {
  const other = new Faulty()
  other.mode = 'fails'
  const both = mirror(store, other, { readFrom: 'old', shadow: false })
  const mistake = new Error('of the listener')
  both.on('mirror-error', () => {
    throw mistake
  })
  const kept = process.listeners('uncaughtException')
  process.removeAllListeners('uncaughtException')
  const thrown = once(process, 'uncaughtException')
  await both.set('a', sessionOf({ name: 'ann' }))
  expect(await thrown).toContain(mistake)
  for (const listener of kept) process.on('uncaughtException', listener)
})
