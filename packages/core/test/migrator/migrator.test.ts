import { type TestDatabase, testDatabase } from '@howdah/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Database, type MigrationSet } from '../../src/index.js'
import { ledger } from './catalog.js'
import { notes, tags, upTo } from './sets.js'

let database: TestDatabase
let schemas = 0

beforeAll(async () => {
  database = await testDatabase()
})
afterAll(() => database.close())

/** A fresh schema, seen through a pool and a Database of its own as another process would. */
function fresh(options: { schema?: string; migrate?: 'auto' | 'manual'; max?: number } = {}) {
  const { schema = `s${++schemas}`, migrate, max = 2 } = options
  const pool = database.pool({ max })
  return { pool, schema, db: Database.from(pool, { schema, migrate }) }
}

const broken: MigrationSet = {
  package: 'notes',
  migrations: [
    ...upTo(notes, 1).migrations,
    {
      version: 2,
      name: 'break',
      up: (s) => [`create table ${s}.half ()`, 'select 1 / 0'],
      down: (s) => [`drop table ${s}.half`],
    },
  ],
}

test('ensure() makes the schema and applies every step once', async () => {
  const { db, pool, schema } = fresh()
  await Promise.all([db.migrator.ensure(notes), db.migrator.ensure(tags)])
  await db.migrator.ensure(notes)
  expect(await ledger(pool, schema)).toEqual([
    'notes 1 create-note',
    'notes 2 index-body',
    'notes 3 add-author',
    'tags 1 create-tag',
    'tags 2 add-view',
  ])
  await db.close()
})

test('ensure() sends nothing to the server once it has succeeded', async () => {
  const { db } = fresh()
  await db.migrator.ensure(notes)
  expect(db.migrator.ensure(notes)).toBe(db.migrator.ensure(notes))
  await db.close()
})

test('ensure() leaves no connection of its own open', async () => {
  const { db, pool } = fresh()
  await Promise.all([db.migrator.ensure(notes), db.migrator.ensure(tags)])
  const { rows } = await pool.query(
    "select count(*)::int as n from pg_stat_activity where datname = current_database() and application_name = 'howdah'",
  )
  expect(rows).toEqual([{ n: 0 }])
  await db.close()
})

test('ensure() works while transactions that wait for it hold every connection of the pool', async () => {
  const { db, pool, schema } = fresh({ max: 2 })
  const insert = () =>
    db.transaction(async (tx) => {
      await tx.query('select 1')
      await db.migrator.ensure(notes)
      await tx.query(`insert into ${schema}.note (body) values ('x')`)
    })
  await Promise.all([insert(), insert(), insert()])
  const { rows } = await pool.query(`select count(*)::int as n from ${schema}.note`)
  expect(rows).toEqual([{ n: 3 }])
  await db.close()
})

test('ensure() uses the pool where its make is unknown', async () => {
  const pool = database.pool()
  const plain = { query: pool.query.bind(pool), connect: pool.connect.bind(pool) }
  const db = Database.from(plain as never, { schema: 'plain_pool' })
  await db.migrator.ensure(notes)
  expect(await ledger(pool, 'plain_pool')).toHaveLength(3)
  await db.close()
})

test("ensure() with migrate: 'manual' names the missing steps and the command, and accepts what up() made", async () => {
  const { db, pool, schema } = fresh({ migrate: 'manual' })
  const refused = { code: 'CORE_MIGRATION_REQUIRED' }
  await expect(db.migrator.ensure(notes)).rejects.toMatchObject(refused)
  await expect(db.migrator.ensure(notes)).rejects.toThrow(
    `npx @howdah/cli migrate up --schema ${schema}.`,
  )
  const { rows } = await pool.query('select from pg_namespace where nspname = $1', [schema])
  expect(rows).toHaveLength(0)
  await db.migrator.up([upTo(notes, 2)])
  await expect(db.migrator.ensure(notes)).rejects.toThrow(
    "lacks migrations of 'notes': 3 (add-author)",
  )
  await db.migrator.up([notes])
  await db.migrator.ensure(notes)
  await db.close()
})

test('ensure() of a failing step names it, leaves nothing, and tries again at the next call', async () => {
  const { db, pool, schema } = fresh()
  const failure = await db.migrator.ensure(broken).catch((error: unknown) => error)
  expect(failure).toMatchObject({ code: 'CORE_MIGRATION_FAILED', cause: { code: '22012' } })
  expect(String(failure)).toContain("Migration 2 (break) of 'notes'")
  const { rows } = await pool.query('select from pg_namespace where nspname = $1', [schema])
  expect(rows).toHaveLength(0)
  await expect(db.migrator.ensure(broken)).rejects.not.toBe(failure)
  await db.migrator.ensure(notes)
  await db.close()
})

test('ensure() refuses a database whose applied step differs', async () => {
  const first = fresh()
  await first.db.migrator.ensure(notes)
  const { db } = fresh({ schema: first.schema })
  const [one, ...others] = notes.migrations
  const changed = { ...notes, migrations: [{ ...one, up: () => ['select 1'] }, ...others] }
  await expect(db.migrator.ensure(changed as MigrationSet)).rejects.toMatchObject({
    code: 'CORE_MIGRATION_CHANGED',
    message: expect.stringContaining("Migration 1 (create-note) of 'notes' was changed"),
  })
  await Promise.all([first.db.close(), db.close()])
})

test('ensure() of an older version works where every newer step allows it, and refuses otherwise', async () => {
  const { db, pool, schema } = fresh()
  await db.migrator.ensure(notes)
  await db.migrator.ensure(upTo(notes, 1))
  await pool.query(`update ${schema}.migration set oldest_client = 2 where version = 3`)
  await db.migrator.ensure(upTo(notes, 2))
  const older = upTo(notes, 1)
  await expect(db.migrator.ensure(older)).rejects.toMatchObject({ code: 'CORE_MIGRATION_TOO_NEW' })
  await expect(db.migrator.down(upTo(notes, 2), { to: 0 })).rejects.toMatchObject({
    code: 'CORE_MIGRATION_TOO_NEW',
  })
  expect(await ledger(pool, schema)).toHaveLength(3)
  await db.close()
})

test('ensure() refuses a ledger with a hole', async () => {
  const { db, pool, schema } = fresh()
  await db.migrator.ensure(notes)
  await pool.query(`delete from ${schema}.migration where version = 2`)
  await expect(db.migrator.ensure({ ...notes })).rejects.toThrow('lacks migration 2')
  await db.close()
})

test('up() answers what it applied, and with dryRun what it would', async () => {
  const { db, pool, schema } = fresh()
  const planned = await db.migrator.up([notes, tags], { dryRun: true })
  expect(planned).toHaveLength(5)
  expect((await pool.query('select from pg_namespace where nspname = $1', [schema])).rowCount).toBe(
    0,
  )
  expect(await db.migrator.up([notes, tags])).toEqual(planned)
  expect(await db.migrator.up([notes, tags])).toEqual([])
  await db.close()
})

test('down() takes steps back newest first, and ensure() then applies them again', async () => {
  const { db, pool, schema } = fresh()
  await db.migrator.ensure(notes)
  expect(await db.migrator.down(notes, { to: 1, dryRun: true })).toHaveLength(2)
  expect(await ledger(pool, schema)).toHaveLength(3)
  expect(await db.migrator.down(notes, { to: 1 })).toEqual([
    { package: 'notes', version: 3, name: 'add-author' },
    { package: 'notes', version: 2, name: 'index-body' },
  ])
  expect(await ledger(pool, schema)).toEqual(['notes 1 create-note'])
  await db.migrator.ensure(notes)
  expect(await ledger(pool, schema)).toHaveLength(3)
  await db.close()
})

test('down() that fails leaves every step in place', async () => {
  const { db, pool, schema } = fresh()
  await db.migrator.ensure(notes)
  await pool.query(`create view ${schema}.reader as select * from ${schema}.note`)
  await pool.query(`create view ${schema}.counter as select ${schema}.count_notes()`)
  await expect(db.migrator.down(notes, { to: 0 })).rejects.toMatchObject({
    code: 'CORE_MIGRATION_FAILED',
  })
  expect(await ledger(pool, schema)).toHaveLength(3)
  await db.close()
})

test.each([-1, 4, 0.5, Number.NaN, '1', undefined])('down() refuses to go to %s', async (to) => {
  const { db } = fresh()
  await expect(db.migrator.down(notes, { to: to as number })).rejects.toMatchObject({
    code: 'CORE_INVALID_OPTION',
  })
  await db.close()
})

test('status() describes packages in every state', async () => {
  const { db, pool, schema } = fresh()
  const state = async (set: MigrationSet) => (await db.migrator.status([set]))[0]
  expect(await state(notes)).toMatchObject({ state: 'pending', current: 0, latest: 3 })
  await db.migrator.up([notes])
  const current = await state(notes)
  expect(current).toMatchObject({ state: 'current', current: 3, latest: 3 })
  const { rows } = await pool.query('select extract(epoch from now())::float8 * 1000 as now')
  expect(Math.abs((current?.steps[0]?.appliedAt ?? 0) - rows[0].now)).toBeLessThan(60_000)
  expect(await state(upTo(notes, 1))).toMatchObject({ state: 'newer', current: 3, latest: 1 })
  await pool.query(`update ${schema}.migration set oldest_client = 3 where version = 3`)
  expect(await state(upTo(notes, 1))).toMatchObject({ state: 'too-new' })
  await pool.query(`update ${schema}.migration set checksum = 'x' where version = 1`)
  expect(await state(notes)).toMatchObject({ state: 'changed' })
  await db.close()
})

test.each([
  ['no object', null],
  ['no list', { package: 'notes' }],
  ['a hostile package', { package: "n'; drop table x", migrations: [] }],
  ['__proto__ as package', { package: '__proto__', migrations: [] }],
  ['a gap', { package: 'notes', migrations: [notes.migrations[1]] }],
  ['a hostile name', { package: 'n', migrations: [{ ...notes.migrations[0], name: "x'" }] }],
  ['a future client', { package: 'n', migrations: [{ ...notes.migrations[0], oldestClient: 2 }] }],
  ['no down', { package: 'n', migrations: [{ ...notes.migrations[0], down: undefined }] }],
  [
    'an empty statement',
    { package: 'n', migrations: [{ ...notes.migrations[0], up: () => [' '] }] },
  ],
])('ensure() refuses a set with %s', async (_what, set) => {
  const { db } = fresh()
  await expect(db.migrator.ensure(set as MigrationSet)).rejects.toMatchObject({
    code: 'CORE_INVALID_OPTION',
  })
  await db.close()
})

test('up() refuses two sets of one package', async () => {
  const { db } = fresh()
  await expect(db.migrator.up([notes, upTo(notes, 1)])).rejects.toMatchObject({
    code: 'CORE_INVALID_OPTION',
  })
  await db.close()
})
