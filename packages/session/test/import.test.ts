import { createHash } from 'node:crypto'
import { Sessions } from '@howdah/session'
import { PgSessionStore } from '@howdah/session/express'
import { type TestDatabase, testDatabase } from '@howdah/testkit'
import connectPgSimple from 'connect-pg-simple'
import { RedisStore } from 'connect-redis'
import session, { type SessionData } from 'express-session'
import type { Pool } from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { hasRedis, type RedisClient, RedisServer } from './redis-server.js'

const HOUR = 3_600_000
type Data = SessionData & Record<string, unknown>

let database: TestDatabase
let pool: Pool
let store: PgSessionStore

beforeAll(async () => {
  database = await testDatabase()
  pool = database.pool()
  store = new PgSessionStore({ pool, ttl: '3h' })
})
beforeEach(() => store.clear())
afterAll(async () => {
  await store.close()
  await database.close()
})

const refOf = (id: string) => createHash('sha256').update(id).digest('hex')

/** A session as express-session hands it over: its cookie ends so long after `from`. */
function dataOf(more: object, maxAge: number | null = HOUR, from = Date.now()): Data {
  const expires = maxAge === null ? null : new Date(from + maxAge)
  const cookie = { path: '/app', httpOnly: true, sameSite: 'lax', originalMaxAge: maxAge, expires }
  return { ...more, cookie } as unknown as Data
}

async function remaining(id: string): Promise<number> {
  const { rows } = await pool.query(
    'select extract(epoch from expires_at - now()) * 1000 as ms from howdah.session where id_hash = sha256($1)',
    [Buffer.from(id)],
  )
  return Number(rows[0]?.ms)
}

function expectAbout(ms: number, expected: number): void {
  expect(Math.abs(ms - expected)).toBeLessThan(10_000)
}

describe.skipIf(!hasRedis)('from connect-redis', () => {
  let server: RedisServer
  let client: RedisClient
  let old: RedisStore

  beforeAll(async () => {
    server = await RedisServer.start()
    client = await server.client()
    old = new RedisStore({ client, prefix: 'app[1]*:' })
  })
  beforeEach(async () => {
    await client.flushAll()
  })
  afterAll(() => server?.close())

  test('ids, data, cookies and what is left of each life stay', async () => {
    await old.set('fresh', dataOf({ user: 'ann', cart: [1, { two: '☃' }] }))
    // Saved a day ago and touched since: its cookie says that it is over.
    await client.set('app[1]*:touched', JSON.stringify(dataOf({ user: 'bob' }, HOUR, 0)), {
      expiration: { type: 'PX', value: 2 * HOUR },
    })
    await client.set('app[1]*:endless', JSON.stringify(dataOf({ user: 'cat' }, null)))
    await client.set('app1x:other', JSON.stringify(dataOf({ user: 'of another application' })))
    expect(await store.sessions.importFrom(old)).toEqual({
      read: 3,
      imported: 3,
      skipped: 0,
      refused: 0,
    })
    const fresh = (await store.get('fresh')) as Data
    expect(fresh).toMatchObject({ user: 'ann', cart: [1, { two: '☃' }] })
    expect(fresh.cookie).toMatchObject({ path: '/app', sameSite: 'lax', originalMaxAge: HOUR })
    expectAbout(await remaining('fresh'), HOUR)
    expectAbout(await remaining('touched'), 2 * HOUR)
    const touched = (await store.get('touched')) as Data
    expectAbout(new Date(touched.cookie.expires as Date).getTime() - Date.now(), 2 * HOUR)
    expectAbout(await remaining('endless'), 3 * HOUR)
    expect(((await store.get('endless')) as Data).cookie.expires).toBeNull()
    expect(await store.length()).toBe(3)
  })

  test('whom a session belongs to is known here, and the next save is one of this store', async () => {
    await old.set('mine', dataOf({ userId: 42, step: 1 }))
    await store.sessions.importFrom(old)
    expect(await store.sessions.listByUser(42)).toHaveLength(1)
    const data = (await store.get('mine')) as Data
    await store.set('mine', Object.assign(data, { step: 2 }))
    expect(await store.get('mine')).toMatchObject({ step: 2 })
  })

  test('what cannot be stored is refused by its ref, and told without what it holds', async () => {
    const small = new Sessions({ pool, maxBytes: 1000 })
    await old.set('good', dataOf({ user: 'ann' }))
    await old.set('large', dataOf({ secret: 'x'.repeat(2000) }))
    await client.set('app[1]*:broken', '{"secret": oops')
    await client.set('app[1]*:number', '17')
    await client.hSet('app[1]*:hash', 'secret', '1')
    await old.set('user', dataOf({ userId: 'secret\0' }))
    await old.set('x'.repeat(5000), dataOf({ secret: 1 }))
    const refused = new Map<string, unknown>()
    const counts = await small.importFrom(old, {
      onRefused: (ref, error) => refused.set(ref, error),
    })
    expect(counts).toEqual({ read: 7, imported: 1, skipped: 0, refused: 6 })
    const codes = ['large', 'broken', 'number', 'hash', 'user', 'x'.repeat(5000)].map(
      (id) => (refused.get(refOf(id)) as { code: string }).code,
    )
    expect(codes).toEqual([
      'SESSION_TOO_LARGE',
      'SESSION_CORRUPT',
      'SESSION_CORRUPT',
      'SESSION_CORRUPT',
      'SESSION_INVALID_USER',
      'SESSION_INVALID_ID',
    ])
    for (const error of refused.values()) {
      const { message, cause } = error as Error
      expect(`${message} ${(cause as Error | undefined)?.message}`).not.toMatch(/secret|oops/)
    }
    await small.close()
  })

  test('2,000 sessions come in batches, which can be stopped between and gone on with', async () => {
    await Promise.all(Array.from({ length: 2000 }, (_, at) => old.set(`s${at}`, dataOf({ at }))))
    const stop = new AbortController()
    const seen: number[] = []
    const stopped = store.sessions.importFrom(old, {
      batch: 300,
      signal: stop.signal,
      onProgress: ({ read }) => {
        seen.push(read)
        if (seen.length === 2) stop.abort(new Error('enough'))
      },
    })
    await expect(stopped).rejects.toThrow('enough')
    expect(seen).toEqual([300, 600])
    expect(await store.length()).toBe(600)
    const counts = await store.sessions.importFrom(old, { batch: 300 })
    expect(counts.imported).toBe(1400)
    expect(counts.skipped).toBeGreaterThanOrEqual(600)
    expect(await store.length()).toBe(2000)
  })

  test('a session that is here already stays as it is, and one that has expired here does not', async () => {
    await old.set('newer', dataOf({ step: 1 }))
    await old.set('expired', dataOf({ step: 1 }))
    await store.set('newer', dataOf({ step: 2 }))
    await store.set('expired', dataOf({ step: 0 }))
    await pool.query(
      `update howdah.session set expires_at = now() - interval '1 s' where id_hash = sha256('expired')`,
    )
    const counts = await store.sessions.importFrom(old)
    expect(counts).toEqual({ read: 2, imported: 1, skipped: 1, refused: 0 })
    expect(await store.get('newer')).toMatchObject({ step: 2 })
    expect(await store.get('expired')).toMatchObject({ step: 1 })
  })

  test('a hostile id or value is only text', async () => {
    const ids = ['__proto__', "'; drop table session; --", 'a*', '[a]', '\\', 'é\u0000', ' ']
    const value = JSON.parse('{"__proto__":{"admin":true},"nul":"\\u0000","half":"\\ud800"}')
    for (const id of ids) await old.set(id, dataOf(value))
    expect(await store.sessions.importFrom(old)).toMatchObject({ imported: ids.length })
    for (const id of ids) {
      const data = (await store.get(id)) as Data
      expect(data).toMatchObject({ nul: '\0', half: '\ud800' })
      expect(data['admin']).toBeUndefined()
    }
  })

  test('when the old store is lost the import fails, and goes on when it is back', async () => {
    const own = await RedisServer.start()
    const lost = new RedisStore({ client: await own.client() })
    await lost.set('a', dataOf({ user: 'ann' }))
    await own.kill()
    await expect(store.sessions.importFrom(lost)).rejects.toThrow()
    await own.close()
    expect(await store.length()).toBe(0)
  })
})

describe('from connect-pg-simple', () => {
  const PgSimple = connectPgSimple(session)

  test.each(['UTC', 'Asia/Tokyo', 'America/St_Johns'])(
    'ids, data, cookies and lives stay, whatever the time zone: %s',
    async (zone) => {
      // The table's times are by the zone of the connections that wrote them.
      const oldPool = database.pool({ options: `-c timezone=${zone}` })
      await oldPool.query(`create schema "${zone}"`)
      const old = new PgSimple({ pool: oldPool, schemaName: zone, createTableIfMissing: true })
      const set = (sid: string, data: Data) =>
        new Promise<void>((resolve, reject) => {
          old.set(sid, data, (error) => (error ? reject(error) : resolve()))
        })
      for (let at = 0; at < 7; at++) await set(`s${at}`, dataOf({ at, nul: '\0' }, (at + 1) * HOUR))
      await set('browser', dataOf({ at: 7 }, null))
      await set('over', dataOf({ at: 8 }, -1000))
      // Its cookie is stale, as after a touch.
      await oldPool.query(
        `update "${zone}".session set expire = expire + interval '2 h' where sid = 's0'`,
      )
      const reads: number[] = []
      const counts = await store.sessions.importFrom(old, {
        batch: 3,
        onProgress: ({ read }) => reads.push(read),
      })
      expect(counts).toEqual({ read: 8, imported: 8, skipped: 0, refused: 0 })
      expect(reads).toEqual([3, 6, 8])
      expect(await store.get('s3')).toMatchObject({ at: 3, nul: '\0', cookie: { path: '/app' } })
      expectAbout(await remaining('s3'), 4 * HOUR)
      expectAbout(await remaining('s0'), 3 * HOUR)
      expectAbout(await remaining('browser'), 24 * HOUR)
      expect(await store.get('over')).toBeNull()
      await old.close()
    },
  )
})

describe('from other stores', () => {
  test('express-session keeps its sessions in memory by id', async () => {
    const old = new session.MemoryStore()
    old.set('a', dataOf({ user: 'ann' }))
    old.set('b', dataOf({ user: 'bob' }, null))
    expect(await store.sessions.importFrom(old)).toMatchObject({ read: 2, imported: 2 })
    expect(await store.get('a')).toMatchObject({ user: 'ann' })
    expectAbout(await remaining('a'), HOUR)
    expectAbout(await remaining('b'), 3 * HOUR)
  })

  test('a store that cannot tell its ids is refused', async () => {
    const old = { get: () => {}, set: () => {}, destroy: () => {} }
    for (const wrong of [old, {}, null]) {
      await expect(store.sessions.importFrom(wrong as never)).rejects.toMatchObject({
        code: 'SESSION_INVALID_OPTION',
      })
    }
    const memory = new session.MemoryStore()
    for (const batch of [0, 1.5, Number.NaN]) {
      await expect(store.sessions.importFrom(memory, { batch })).rejects.toMatchObject({
        code: 'SESSION_INVALID_OPTION',
      })
    }
  })
})

/** A store of one session that lets a schedule run at each moment of an import, numbered from 0. */
class Scheduled {
  data: Data | null
  readonly #at: (moment: number) => Promise<void>
  #moment = 0

  constructor(data: Data, at: (moment: number) => Promise<void>) {
    this.data = data
    this.#at = at
  }

  ids(callback: (error: unknown, ids?: unknown) => void): void {
    callback(null, ['one'])
  }

  /** Is called when the batch is read, and again when the store is asked what is still there. */
  async get(_sid: string, callback: (error: unknown, session?: unknown) => void): Promise<void> {
    await this.#at(this.#moment++)
    const answer = this.data && JSON.parse(JSON.stringify(this.data))
    await this.#at(this.#moment++)
    callback(null, answer)
  }

  set(): void {}
  destroy(): void {}
}

/** Moments at which something can happen in old, and at or after which it then happens in new: before reading, before inserting, before asking, before ending, at the end. */
const SCHEDULES = [0, 1, 2, 3, 4].flatMap((inOld) =>
  [0, 1, 2, 3, 4].filter((inNew) => inNew >= inOld).map((inNew) => ({ inOld, inNew })),
)

async function importWhile(
  schedule: { inOld: number; inNew: number },
  oldDoes: (old: Scheduled) => void,
  newDoes: () => Promise<unknown>,
): Promise<void> {
  const at = async (moment: number) => {
    if (moment === schedule.inOld) oldDoes(old)
    if (moment === schedule.inNew) await newDoes()
  }
  const old: Scheduled = new Scheduled(dataOf({ step: 1 }), at)
  await store.sessions.importFrom(old)
  await at(4)
}

describe('while the store is in use through a mirror', () => {
  test.each(SCHEDULES)('a logout stays: in old at $inOld, in new at $inNew', async (schedule) => {
    await importWhile(
      schedule,
      (old) => {
        old.data = null
      },
      () => store.destroy('one'),
    )
    expect(await store.get('one')).toBeNull()
  })

  test.each(SCHEDULES)('a save stays: in old at $inOld, in new at $inNew', async (schedule) => {
    await importWhile(
      schedule,
      (old) => {
        old.data = dataOf({ step: 2 }, HOUR / 2)
      },
      () => store.set('one', dataOf({ step: 2 }, HOUR / 2)),
    )
    expect(await store.get('one')).toMatchObject({ step: 2 })
    expectAbout(await remaining('one'), HOUR / 2)
  })

  test('what an import that died left behind does not live long, and the next one goes on with it', async () => {
    const died = new Error('died')
    const dying = new Scheduled(dataOf({ step: 1 }, 5 * HOUR), async (moment) => {
      if (moment === 2) throw died
    })
    await expect(store.sessions.importFrom(dying)).rejects.toBe(died)
    expect(await remaining('one')).toBeLessThan(600_001)
    expect(await store.get('one')).toMatchObject({ step: 1 })
    const next = new Scheduled(dataOf({ step: 1 }, 5 * HOUR), async () => {})
    expect(await store.sessions.importFrom(next)).toMatchObject({ imported: 1 })
    expectAbout(await remaining('one'), 5 * HOUR)
    expect(await store.sessions.importFrom(next)).toMatchObject({ imported: 0, skipped: 1 })
  })
})
