import cookie from '@fastify/cookie'
import fastifySession from '@fastify/session'
import { FastifySessionStore, mirror } from '@howdah/session/fastify'
import { type TestDatabase, testDatabase } from '@howdah/testkit'
import { RedisStore } from 'connect-redis'
import { fastify } from 'fastify'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'

import { hasRedis, RedisServer } from './redis-server.js'

declare module 'fastify' {
  interface Session {
    name?: string
    items?: string[]
  }
}

let database: TestDatabase

beforeAll(async () => {
  database = await testDatabase()
})
afterAll(() => database.close())

test.skipIf(!hasRedis)('a Fastify application moves from connect-redis, and back', async () => {
  const server = await RedisServer.start()
  onTestFinished(() => server.close())
  const old = new RedisStore({ client: await server.client() })
  const store = new FastifySessionStore({ pool: database.pool() })
  const both = mirror(old, store, { readFrom: 'old', shadow: true })
  const mismatches: unknown[] = []
  both.on('mismatch', (mismatch) => mismatches.push(mismatch))

  const app = fastify()
  onTestFinished(() => app.close())
  await app.register(cookie)
  await app.register(fastifySession, {
    secret: 'x'.repeat(32),
    store: both,
    saveUninitialized: false,
    cookie: { secure: false, maxAge: 3_600_000 },
  })
  app.post('/login/:name', async (request) => {
    await request.session.regenerate()
    request.session.name = (request.params as { name: string }).name
    return {}
  })
  app.post('/items/:item', async (request) => {
    const { item } = request.params as { item: string }
    request.session.items = [...(request.session.items ?? []), item]
    return {}
  })
  app.get('/me', async ({ session: { name, items } }) => ({ name, items }))
  app.post('/logout', async (request) => {
    await request.session.destroy()
    return {}
  })
  let sent = {}
  const ask = async (method: 'GET' | 'POST', url: string) => {
    const response = await app.inject({ method, url, cookies: sent })
    const [given] = response.cookies
    if (given !== undefined) sent = { [given.name]: given.value }
    return { status: response.statusCode, ...response.json() }
  }

  await ask('POST', '/login/ann')
  await ask('POST', '/items/one')
  both.switch({ readFrom: 'new', shadow: true })
  expect(await ask('GET', '/me')).toMatchObject({ name: 'ann', items: ['one'] })
  await ask('POST', '/items/two')
  both.switch({ readFrom: 'old', shadow: true })
  expect(await ask('GET', '/me')).toMatchObject({ name: 'ann', items: ['one', 'two'] })
  expect(mismatches).toEqual([])
  const loggedIn = sent
  expect(await ask('POST', '/logout')).toMatchObject({ status: 200 })
  for (const readFrom of ['old', 'new'] as const) {
    both.switch({ readFrom, shadow: true })
    sent = loggedIn
    expect((await ask('GET', '/me')).name).toBeUndefined()
  }
  expect(both.stats()).toMatchObject({ errorsInOld: 0, errorsInNew: 0, pendingEnds: 0 })
  await store.close()
})
