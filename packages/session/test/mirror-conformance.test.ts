import { mirror, PgSessionStore } from '@howdah/session/express'
import {
  type ConformanceSessionStore,
  sessionStoreConformance,
  type TestDatabase,
  testDatabase,
} from '@howdah/testkit'
import connectPgSimple from 'connect-pg-simple'
import { RedisStore } from 'connect-redis'
import session from 'express-session'
import type { Pool } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { hasRedis, type RedisClient, RedisServer } from './redis-server.js'

let database: TestDatabase
let pool: Pool

beforeAll(async () => {
  database = await testDatabase()
  pool = database.pool()
})
afterAll(() => database.close())

/** A mirror of empty stores, for one test; it must not have had to report anything. */
async function subject(old: session.Store, readFrom: 'old' | 'new') {
  const store = new PgSessionStore({ pool })
  await store.clear()
  const both = mirror(old, store, { readFrom, shadow: true, timeout: '10s' })
  const reported: unknown[] = []
  both.on('mirror-error', (error) => reported.push(error))
  const dispose = async () => {
    await both.close()
    await store.close()
    expect(reported).toEqual([])
  }
  return { subject: both as unknown as ConformanceSessionStore, dispose }
}

for (const readFrom of ['old', 'new'] as const) {
  describe.skipIf(!hasRedis)(`beside connect-redis, read from ${readFrom}`, () => {
    let server: RedisServer
    let client: RedisClient
    beforeAll(async () => {
      server = await RedisServer.start()
      client = await server.client()
    })
    afterAll(() => server?.close())

    sessionStoreConformance({ describe, it }, async () => {
      await client.flushAll()
      return subject(new RedisStore({ client }), readFrom)
    })
  })

  describe(`beside connect-pg-simple, read from ${readFrom}`, () => {
    const PgSimple = connectPgSimple(session)
    beforeAll(async () => {
      await pool.query(
        'create table if not exists old (sid varchar primary key, sess json not null, expire timestamp(6) not null)',
      )
    })

    sessionStoreConformance({ describe, it }, async () => {
      await pool.query('delete from old')
      return subject(new PgSimple({ pool, tableName: 'old' }), readFrom)
    })
  })
}
