import { Database, defineStatement } from '@howdah/core'
import { type TestDatabase, testDatabase } from '@howdah/testkit'
import { Pool } from 'pg'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'

interface Row {
  readonly key: string
  readonly value: string
}

const APPLICATION = 'coalescer-under-test'

const insertRows = defineStatement<[rows: readonly Row[]], { key: string }>(
  'test.insert',
  () => /* sql */ `
    insert into entry (key, value)
    select * from unnest($1::text[], $2::text[])
    returning key`,
  (rows) => [rows.map(({ key }) => key), rows.map(({ value }) => value)],
)

const upsertRows = defineStatement<[rows: readonly Row[]], { key: string }>(
  'test.upsert',
  () => /* sql */ `
    insert into entry (key, value)
    select * from unnest($1::text[], $2::text[])
    on conflict (key) do update set value = excluded.value
    returning key`,
  (rows) => [rows.map(({ key }) => key), rows.map(({ value }) => value)],
)

const selectRows = defineStatement<[keys: readonly string[]], Row>(
  'test.select',
  () => 'select key, value from entry where key = any($1::text[])',
  (keys) => [keys],
)

let database: TestDatabase
let pool: Pool
let db: Database

beforeAll(async () => {
  database = await testDatabase()
  pool = database.pool({ application_name: APPLICATION })
  await pool.query(
    'create table entry (key text primary key, value text not null check (length(value) < 1000))',
  )
  db = Database.from(pool)
})

beforeEach(async () => {
  await pool.query('truncate entry')
})

afterAll(async () => {
  await db.close()
  await database.close()
})

function operations() {
  const keyOf = (row: Row) => row.key
  const bytes = (row: Row) => row.key.length + row.value.length
  const write = (statement: typeof insertRows, duplicates: 'queue' | 'last') =>
    db.coalescer.operation<Row, boolean>({
      key: keyOf,
      bytes,
      duplicates,
      async run(rows) {
        const written = new Set((await db.query(statement(db.schema, rows))).map(({ key }) => key))
        return rows.map(({ key }) => written.has(key))
      },
    })
  const get = db.coalescer.operation<string, string | undefined>({
    key: (key) => key,
    duplicates: 'share',
    async run(keys) {
      const rows = await db.query(selectRows(db.schema, keys))
      const values = new Map(rows.map(({ key, value }) => [key, value]))
      return keys.map((key) => values.get(key))
    },
  })
  return { insert: write(insertRows, 'queue'), upsert: write(upsertRows, 'last'), get }
}

test('db.coalescer is one for the database', () => {
  expect(db.coalescer).toBe(Database.from(pool).coalescer)
})

test('10,000 concurrent inserts with random bad values: each error reaches its own caller, all else is written', async () => {
  const { insert } = operations()
  const kinds = ['NUL', 'check', 'taken'] as const
  const rows = Array.from({ length: 10_000 }, (_, n) => {
    const kind = Math.random() < 0.003 ? kinds[n % 3] : undefined
    const key = kind === 'taken' ? `taken ${n}` : `key '${n}"; drop table entry; --`
    const value = kind === 'NUL' ? 'a\0b' : kind === 'check' ? 'x'.repeat(1000) : `value ${n}`
    return { kind, key, value }
  })
  const taken = rows.filter(({ kind }) => kind === 'taken')
  await pool.query('insert into entry select unnest($1::text[]), $2', [
    taken.map(({ key }) => key),
    'before',
  ])
  const answers = await Promise.allSettled(rows.map(insert))
  const state = { NUL: '22021', check: '23514', taken: '23505' }
  for (const [n, answer] of answers.entries()) {
    const { kind, key } = rows[n] as (typeof rows)[number]
    if (kind === undefined) expect(answer).toEqual({ status: 'fulfilled', value: true })
    else expect(answer).toMatchObject({ status: 'rejected', reason: { code: state[kind] } })
    // The driver's detail names the row at fault, so an error that went astray would show.
    if (kind === 'taken') {
      expect((answer as PromiseRejectedResult).reason.detail).toContain(`(${key})`)
    }
  }
  const { rows: found } = await pool.query('select key, value from entry')
  const expected = rows
    .filter(({ kind }) => kind === undefined || kind === 'taken')
    .map(({ kind, key, value }) => [key, kind === 'taken' ? 'before' : value] as const)
  expect(new Map(found.map(({ key, value }) => [key, value]))).toEqual(new Map(expected))
})

test('a get after a set waits for it and sees it, also while other writes of the key fail', async () => {
  const { upsert, get } = operations()
  const seen = await Promise.all(
    Array.from({ length: 120 }, async (_, n) => {
      const key = `key ${n % 20}`
      const set = upsert({ key, value: `value ${n}` })
      const bad = upsert({ key, value: `\0${n}` }).then(
        () => 'replaced',
        ({ code }) => code,
      )
      const value = await get(key)
      expect(['22021', 'replaced']).toContain(await bad)
      await set
      return value
    }),
  )
  expect(seen).toEqual(seen.map((_, n) => `value ${n}`))
})

test('a connection killed in mid-batch settles every caller, and later calls work', async () => {
  const { upsert, get } = operations()
  const locker = await pool.connect()
  await locker.query('begin')
  await locker.query("insert into entry values ('locked', 'by another')")
  const answers = Promise.allSettled(
    ['locked', ...Array.from({ length: 20 }, (_, n) => `key ${n}`)].map((key) =>
      upsert({ key, value: 'v' }),
    ),
  )
  const behind = get('key 1')
  await expect
    .poll(() =>
      locker.query(
        `select pg_terminate_backend(pid) as killed from pg_stat_activity
         where application_name = $1 and wait_event_type = 'Lock'`,
        [APPLICATION],
      ),
    )
    .toMatchObject({ rows: [{ killed: true }] })
  const settled = await answers
  expect(settled.map(({ status }) => status)).toEqual(Array(21).fill('rejected'))
  expect(new Set(settled.map((answer) => (answer as PromiseRejectedResult).reason)).size).toBe(21)
  await locker.query('rollback')
  locker.release()
  expect(await behind).toBeUndefined()
  expect(await upsert({ key: 'key 1', value: 'after' })).toBe(true)
  expect(await get('key 1')).toBe('after')
  expect(db.coalescer.waiting).toBe(0)
})

test('a pool that cannot connect fails the calls and nothing hangs', async () => {
  const url = new URL(database.url)
  url.pathname = '/no_such_database'
  const broken = new Pool({ connectionString: url.href })
  const other = Database.from(broken)
  const get = other.coalescer.operation<string, string>({
    key: (key) => key,
    async run(keys) {
      await other.query(selectRows(other.schema, keys))
      return keys
    },
  })
  const answers = await Promise.allSettled(['a', 'b', 'c'].map(get))
  expect(answers).toMatchObject(Array(3).fill({ status: 'rejected', reason: { code: '3D000' } }))
  await other.close()
  await broken.end()
})

test('db.close() waits for coalesced calls and refuses later ones', async () => {
  const own = Database.from(database.pool())
  const get = own.coalescer.operation<string, number>({
    key: (key) => key,
    async run(keys) {
      await own.query(selectRows(own.schema, keys))
      return keys.map(() => 1)
    },
  })
  const pending = get('a')
  await own.close()
  expect(own.coalescer.waiting).toBe(0)
  expect(await pending).toBe(1)
  await expect(get('b')).rejects.toMatchObject({ code: 'CORE_CLOSED' })
})
