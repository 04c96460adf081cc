import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { PgSessionStore } from '@howdah/session/express'
import { sessionStoreConformance, type TestDatabase, testDatabase } from '@howdah/testkit'
import express from 'express'
import session, { type Session, type SessionData } from 'express-session'
import type { Pool } from 'pg'
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest'
import { Browser } from './server-process.js'
import { sessionsOverHttp, twoProcesses } from './sessions-over-http.js'

let database: TestDatabase
let pool: Pool

beforeAll(async () => {
  database = await testDatabase()
  pool = database.pool()
})
afterAll(() => database.close())

sessionStoreConformance({ describe, it }, async () => {
  const store = new PgSessionStore({ pool })
  await store.clear()
  return { subject: store, dispose: () => store.close() }
})

const processes = twoProcesses('./express-server.ts')
describe('over HTTP', () => {
  sessionsOverHttp('./express-server.ts', processes)

  test('a cookie whose age alone was changed keeps it', async () => {
    const { one, other } = processes()
    const browser = new Browser()
    await browser.expect(one, 'POST', '/login/ned')
    await browser.expect(one, 'POST', '/remember/864000000')
    await browser.expect(one, 'POST', '/view')
    const { maxAge, user } = await browser.expect(other, 'GET', '/me')
    expect(user).toBe('ned')
    expect(maxAge).toBeGreaterThan(863_000_000)
  })
})

/** Answers by promise what the store answers by callback. */
function call<T>(start: (done: (error: unknown, value?: T) => void) => void) {
  return new Promise<T | undefined>((resolve, reject) => {
    start((error, value) => (error ? reject(error) : resolve(value)))
  })
}

const cookie = { originalMaxAge: 60_000, path: '/' }

test('touch() moves the end of the cookie that get() answers', async () => {
  await using store = new PgSessionStore({ pool })
  const expires = new Date(Date.now() + 60_000)
  await store.set('t', { cookie: { ...cookie, expires } } as SessionData)
  const longer = { cookie: { ...cookie, originalMaxAge: 600_000 } } as SessionData
  await call((done) => store.touch('t', longer, done))
  const found = await call<SessionData | null>((done) => store.get('t', done))
  const moved = new Date(found?.cookie.expires as unknown as string).getTime() - expires.getTime()
  expect(moved).toBeGreaterThan(500_000)
})

test('all(), ids(), length() and clear() are about every live session, by callback as by promise', async () => {
  await using store = new PgSessionStore({ pool, name: 'lists' })
  for (const user of ['a', 'b']) await store.set(user, { user, cookie } as unknown as SessionData)
  const all = await call<SessionData[] | null>((done) => store.all(done))
  expect(all?.map(({ user }) => user).sort()).toEqual(['a', 'b'])
  const ids = await call<string[]>((done) => store.ids(done))
  expect(ids).toEqual(await store.ids())
  expect(ids).toEqual([expect.stringMatching(/^[0-9a-f]{64}$/), expect.anything()])
  expect(await call<number>((done) => store.length(done))).toBe(2)
  await call((done) => store.clear(done))
  expect([await store.length(), await store.all()]).toEqual([0, []])
})

test('load() answers a session object that saves, and destroy() by promise ends it', async () => {
  await using store = new PgSessionStore({ pool })
  await store.set('l', { user: 'a', cookie } as unknown as SessionData)
  const loaded = await call<Session & SessionData>((done) => store.load('l', done as never))
  Object.assign(loaded as object, { user: 'b' })
  await call((done) => loaded?.save(done))
  expect(await store.get('l')).toMatchObject({ user: 'b' })
  await store.destroy('l')
  await call((done) => loaded?.save(done))
  expect(await store.get('l')).toBe(null)
})

test('with resave and saveUninitialized strangers have no row, and what is unchanged is not written', async () => {
  await using store = new PgSessionStore({ pool, name: 'eager' })
  const app = express()
  app.use(session({ store, secret: 'test', resave: true, saveUninitialized: true }))
  app.get('/', (_req, res) => void res.json({}))
  app.post('/', (req, res) => {
    Object.assign(req.session, { views: 1 })
    res.json({})
  })
  const server = app.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const stranger = new Browser()
  for (let at = 0; at < 10; at++) await stranger.expect({ url }, 'GET', '/')
  expect(await store.length()).toBe(0)
  await stranger.expect({ url }, 'POST', '/')
  const row = `select ctid::text, expires_at from howdah.session where name = 'eager'`
  const { rows: before } = await pool.query(row)
  for (let at = 0; at < 10; at++) await stranger.expect({ url }, 'GET', '/')
  const { rows: after } = await pool.query(row)
  expect(before).toHaveLength(1)
  expect(after).toEqual(before)
  server.closeAllConnections()
  server.close()
})

test('a session without a cookie, which express-session did not begin, is not opened', async () => {
  await using store = new PgSessionStore({ pool })
  await store.sessions.create({ user: 'a' }, { id: 'bare' })
  expect(await store.get('bare')).toBe(null)
})

test('an error reaches the callback, once', async () => {
  await using store = new PgSessionStore({ pool })
  const errors: unknown[] = []
  await new Promise<void>((resolve) => {
    void store.set('', { cookie: {} } as SessionData, (error) => {
      errors.push(error)
      resolve()
    })
  })
  expect(errors).toMatchObject([{ code: 'SESSION_INVALID_ID' }])
})
