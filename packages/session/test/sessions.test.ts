import { Database } from '@howdah/core'
import { Sessions, type SessionsOptions } from '@howdah/session'
import { type TestDatabase, testDatabase } from '@howdah/testkit'
import fc from 'fast-check'
import type { Pool } from 'pg'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'

let database: TestDatabase
let pool: Pool
const open: Sessions[] = []

beforeAll(async () => {
  database = await testDatabase()
  pool = database.pool()
})
afterEach(async () => {
  await Promise.all(open.splice(0).map((sessions) => sessions.close()))
  await pool.query('delete from howdah.session')
})
afterAll(() => database.close())

function sessions(options: Partial<SessionsOptions> = {}): Sessions {
  const made = new Sessions({ pool, pruneInterval: false, ...options })
  open.push(made)
  return made
}

const rows = async () => (await pool.query('select * from howdah.session')).rows
/** Lets the database's clock run past the end of everything, without waiting. */
const expireAll = () =>
  pool.query(
    `update howdah.session set expires_at = now() - interval '2 hours',
      expires_hour = floor(extract(epoch from now() - interval '2 hours') / 3600)`,
  )

test('load() answers what save() stored, and undefined for an unknown id', async () => {
  const a = sessions()
  expect(await a.load('a')).toBeUndefined()
  expect(await a.save('a', { user: 1 })).toBe(true)
  expect((await a.load('a'))?.data).toEqual({ user: 1 })
  expect(await a.count()).toBe(1)
})

test('save() keeps any JSON exactly, with NUL, lone surrogates and __proto__', async () => {
  const a = sessions()
  await fc.assert(
    fc.asyncProperty(
      fc.string({ unit: 'binary', minLength: 1 }),
      fc.jsonValue({ stringUnit: 'binary' }),
      async (id, value) => {
        const text = JSON.stringify({ value, lone: '\ud800', nul: '\0' })
        const data = JSON.parse(`${text.slice(0, -1)},"__proto__":{"polluted":true}}`)
        await a.save(id, data)
        expect(JSON.stringify((await a.load(id))?.data)).toBe(JSON.stringify(data))
      },
    ),
    { numRuns: 50 },
  )
  expect(({} as { polluted?: boolean }).polluted).toBeUndefined()
})

test('the id is stored only as its SHA-256', async () => {
  const a = sessions()
  await a.save('secret-id', { user: 1 })
  const { rows } = await pool.query(
    `select session::text as row, id_hash = sha256('secret-id'::bytea) as hashed from howdah.session`,
  )
  expect(rows[0].hashed).toBe(true)
  expect(rows[0].row).not.toContain('secret-id')
  expect(rows[0].row).not.toContain(Buffer.from('secret-id').toString('hex'))
  expect(await a.ids()).toEqual([expect.stringMatching(/^[0-9a-f]{64}$/)])
})

test('an expired session is not found, though its row is still there', async () => {
  const a = sessions()
  await a.save('a', {})
  await expireAll()
  expect(await a.load('a')).toBeUndefined()
  expect(await a.touch('a')).toBe(false)
  expect(await a.count()).toBe(0)
  expect(await a.all()).toEqual([])
  expect(await rows()).toHaveLength(1)
  expect(await a.save('a', { again: true })).toBe(true)
  expect((await a.load('a'))?.data).toEqual({ again: true })
})

test('save() takes the life from ttl, from expiresAt, or from the option', async () => {
  const a = sessions({ ttl: '2h' })
  await a.save('option', {})
  await a.save('ttl', {}, { ttl: '10m' })
  await a.save('at', {}, { expiresAt: new Date('2999-01-01T00:00:00.123Z') })
  const { rows } = await pool.query(
    `select round(extract(epoch from expires_at - now()) / 60)::int as minutes
     from howdah.session order by expires_at`,
  )
  expect(rows.slice(0, 2)).toEqual([{ minutes: 10 }, { minutes: 120 }])
  expect((await a.load('at'))?.expiresAt).toEqual(new Date('2999-01-01T00:00:00.123Z'))
})

test('touch() writes nothing until a tenth of the life has passed', async () => {
  const a = sessions({ ttl: '100m' })
  await a.save('a', {})
  const version = async () => (await pool.query('select xmin, expires_at from howdah.session')).rows
  const age = (minutes: number) =>
    pool.query(`update howdah.session set expires_at = now() + $1 * interval '1 minute'`, [
      100 - minutes,
    ])
  await age(9)
  const before = await version()
  expect(await a.touch('a')).toBe(true)
  expect(await version()).toEqual(before)
  await age(11)
  expect(await a.touch('a')).toBe(true)
  const { rows } = await pool.query(
    `select expires_at > now() + interval '99 minutes' as extended from howdah.session`,
  )
  expect(rows).toEqual([{ extended: true }])
  expect((await a.load('a'))?.touched).toBe(true)
  expect(await a.touch('a', { ttl: '1m' })).toBe(true)
  expect((await version())[0].expires_at.getTime()).toBeLessThan(before[0].expires_at.getTime())
})

test('a save that was under way does not bring a destroyed session back', async () => {
  const a = sessions()
  const b = sessions({ pool: database.pool() })
  await a.save('a', { user: 1 })
  const loaded = await b.load('a')
  await a.destroy('a')
  expect(await b.save('a', loaded?.data)).toBe(false)
  expect(await b.touch('a')).toBe(false)
  expect(await a.load('a')).toBeUndefined()
  expect(await a.save('a', { user: 2 }, { revive: true })).toBe(true)
  expect((await a.load('a'))?.data).toEqual({ user: 2 })
})

test('a save waits for a destroy that has not committed, and then gives way to it', async () => {
  const a = sessions()
  await a.save('a', { user: 1 })
  let save: Promise<boolean> | undefined
  await Database.from(pool).transaction(async (tx) => {
    await a.destroy('a', { client: tx })
    save = a.save('a', { user: 1 })
    await expect
      .poll(async () => (await pool.query('select from pg_locks where not granted')).rowCount)
      .toBeGreaterThan(0)
  })
  expect(await save).toBe(false)
  expect(await a.load('a')).toBeUndefined()
})

test('clear() ends every session, and no save brings one back', async () => {
  const a = sessions()
  await a.save('a', {})
  await a.save('b', {})
  await a.clear()
  expect(await a.count()).toBe(0)
  expect(await a.save('a', {})).toBe(false)
})

test('prune() removes expired rows and tombstones, passing over locked ones', async () => {
  const a = sessions({ tombstone: 0 })
  await a.save('live', {})
  await a.save('old', {})
  await a.save('locked', {})
  await pool.query(
    `update howdah.session set expires_at = now(), expires_hour = 0
     where id_hash in (sha256('old'), sha256('locked'))`,
  )
  await a.destroy('gone')
  await Database.from(pool).transaction(async (tx) => {
    await tx.query(`select from howdah.session where id_hash = sha256('locked') for update`)
    expect(await a.prune()).toBe(2)
  })
  expect(await a.prune()).toBe(1)
  expect(await rows()).toHaveLength(1)
})

test('expired rows are pruned in the background after the first use', async () => {
  const seed = sessions()
  await seed.save('old', {})
  await expireAll()
  const a = sessions({ pruneInterval: 20 })
  const pruned: number[] = []
  a.on('prune', (n) => pruned.push(n))
  await a.load('x')
  await expect.poll(() => pruned).toEqual([1])
})

test('writes join the transaction of the caller', async () => {
  const a = sessions()
  await a.save('kept', {})
  const db = Database.from(pool)
  await expect(
    db.transaction(async (tx) => {
      await a.save('new', {}, { client: tx })
      await a.destroy('kept', { client: tx })
      throw new Error('undo')
    }),
  ).rejects.toThrow('undo')
  expect(await a.load('new')).toBeUndefined()
  expect(await a.load('kept')).toBeDefined()
})

test('what cannot be stored is refused with a code, and nothing is written', async () => {
  const a = sessions({ maxBytes: 100 })
  const cycle: { self?: unknown } = {}
  cycle.self = cycle
  const fails = async (act: Promise<unknown>, code: string) =>
    expect(act).rejects.toMatchObject({ name: 'HowdahError', code })
  await fails(a.save('a', { text: '☃'.repeat(34) }), 'SESSION_TOO_LARGE')
  await fails(a.save('a', cycle), 'SESSION_INVALID_DATA')
  await fails(a.save('a', 1n), 'SESSION_INVALID_DATA')
  await fails(a.save('a', undefined), 'SESSION_INVALID_DATA')
  await fails(a.save('', {}), 'SESSION_INVALID_ID')
  await fails(a.load('\ud800'), 'SESSION_INVALID_ID')
  await fails(a.load(7 as never), 'SESSION_INVALID_ID')
  await fails(a.save('a', {}, { expiresAt: new Date(Number.NaN) }), 'SESSION_INVALID_OPTION')
  await fails(a.save('a', {}, { ttl: -1 }), 'CORE_INVALID_DURATION')
  await a.count()
  expect(await rows()).toEqual([])
})

test('a row that something else wrote is reported, not returned', async () => {
  const a = sessions()
  await a.save('a', {})
  await pool.query(`update howdah.session set data = '{'`)
  await expect(a.load('a')).rejects.toMatchObject({ code: 'SESSION_CORRUPT' })
})

test('options are validated where the object is made', () => {
  const code = (options: object) => {
    try {
      new Sessions({ pool, ...options } as SessionsOptions)
    } catch (error) {
      return (error as { code: string }).code
    }
    return undefined
  }
  expect(code({ maxBytes: 0 })).toBe('SESSION_INVALID_OPTION')
  expect(code({ ttl: 'soon' })).toBe('CORE_INVALID_DURATION')
  expect(code({ tombstone: -1 })).toBe('CORE_INVALID_DURATION')
  expect(code({ pruneInterval: 0 })).toBe('CORE_INVALID_DURATION')
  expect(code({ pool: {} })).toBe('CORE_INVALID_SOURCE')
})

test('close() refuses further calls', async () => {
  const a = sessions()
  await a.close()
  await expect(a.load('a')).rejects.toMatchObject({ code: 'SESSION_CLOSED' })
})
