import { once } from 'node:events'
import { FastifySessionStore } from '@howdah/session/fastify'
import { fastifySessionStoreConformance, type TestDatabase, testDatabase } from '@howdah/testkit'
import type { Session } from 'fastify'
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

fastifySessionStoreConformance({ describe, it }, async () => {
  const store = new FastifySessionStore({ pool })
  await store.clear()
  return { subject: store, dispose: () => store.close() }
})

const processes = twoProcesses('./fastify-server.ts')
describe('over HTTP', () => {
  sessionsOverHttp('./fastify-server.ts', processes)

  test('reload() of a session takes over what others saved, and what is set then counts', async () => {
    const { one, other } = processes()
    const browser = new Browser()
    await browser.expect(one, 'POST', '/login/lea')
    const waits = once(one.lines, 'line')
    const slow = browser.copy().expect(one, 'POST', '/reload')
    await waits
    await browser.copy().expect(other, 'POST', '/put/meanwhile/1')
    await new Browser().expect(one, 'POST', '/release')
    expect(await slow).toEqual({ user: 'lea' })
    const { keys } = await browser.expect(other, 'GET', '/me')
    expect(keys).toEqual(expect.arrayContaining(['meanwhile', 'reloaded', 'user']))
  })

  test('reload() of a session that has ended does not bring its id back', async () => {
    const { one, other } = processes()
    const browser = new Browser()
    await browser.expect(one, 'POST', '/login/mia')
    const waits = once(one.lines, 'line')
    const slow = browser.copy().expect(one, 'POST', '/reload')
    await waits
    await browser.copy().expect(other, 'POST', '/logout')
    await new Browser().expect(one, 'POST', '/release')
    expect(await slow).toEqual({ user: null })
    const { keys, user } = await browser.expect(other, 'GET', '/me')
    expect([user, keys]).toEqual([null, ['cookie']])
  })

  test('a session that takes all keys of the old one along is a session of its own', async () => {
    const { one, other } = processes()
    const browser = new Browser()
    await browser.expect(one, 'POST', '/login/ned')
    await browser.expect(one, 'POST', '/put/basket/1')
    const old = browser.copy()
    await browser.expect(one, 'POST', '/regenerate-with-all')
    expect(browser.cookie).not.toBe(old.cookie)
    const { keys, user } = await browser.expect(other, 'GET', '/me')
    expect([user, keys]).toEqual(['ned', ['basket', 'cookie', 'more', 'user']])
    expect((await old.expect(other, 'GET', '/me')).user).toBe(null)
  })

  test('the session of a login is listed with its address and browser', async () => {
    const { one, database } = processes()
    await new Browser().expect(one, 'POST', '/login/oda')
    const store = new FastifySessionStore({ pool: database.pool() })
    const [listed] = await store.sessions.listByUser('oda')
    expect(listed?.device).toEqual({ address: '127.0.0.1', userAgent: 'node' })
    await store.close()
  })
})

test('a session that ended while it was in hand is not stored again', async () => {
  await using store = new FastifySessionStore({ pool })
  await store.set('a', { user: 'a', cookie: { originalMaxAge: null } } as Session)
  const inHand = (await store.get('a')) as Session
  await store.destroy('a')
  await store.set('a', { ...inHand, views: 1 } as Session)
  expect(await store.get('a')).toBe(null)
})

test('all(), ids(), length() and clear() are about every live session', async () => {
  await using store = new FastifySessionStore({ pool, name: 'lists' })
  for (const user of ['a', 'b']) {
    await store.set(user, { user, cookie: { originalMaxAge: null } } as Session)
  }
  expect((await store.all()).map(({ user }) => user).sort()).toEqual(['a', 'b'])
  expect(await store.ids()).toEqual(
    expect.arrayContaining([expect.stringMatching(/^[0-9a-f]{64}$/)]),
  )
  expect(await store.length()).toBe(2)
  await store.clear()
  expect([await store.length(), await store.ids()]).toEqual([0, []])
})

test('an error reaches the callback, once', async () => {
  await using store = new FastifySessionStore({ pool })
  const errors: unknown[] = []
  await new Promise<void>((resolve) => {
    void store.set('', { cookie: { originalMaxAge: null } } as Session, (error) => {
      errors.push(error)
      resolve()
    })
  })
  expect(errors).toMatchObject([{ code: 'SESSION_INVALID_ID' }])
})
