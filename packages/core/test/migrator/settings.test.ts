import { type TestDatabase, testDatabase } from '@howdah/testkit'
import { Client } from 'pg'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { Database, ident, type MigrationSet } from '../../src/index.js'
import { ledger } from './catalog.js'
import { notes, tags, upTo } from './sets.js'

let database: TestDatabase

beforeAll(async () => {
  database = await testDatabase()
})
afterAll(() => database.close())

test.each([
  'we "ird',
  'with space',
  'dotted.name',
  "quote's",
  '$howdah$',
  'back\\slash',
  '-- comment',
  'Ünïcödé 象',
  'x'.repeat(63),
  '象'.repeat(21),
])('ensure() and down() work in the schema %j', async (schema) => {
  const pool = database.pool()
  const db = Database.from(pool, { schema })
  await db.migrator.ensure(notes)
  await db.migrator.ensure(tags)
  expect(await ledger(pool, ident(schema))).toHaveLength(5)
  await db.migrator.down(notes, { to: 0 })
  expect(await db.migrator.status([notes])).toMatchObject([{ current: 0, state: 'pending' }])
  await db.close()
})

test('schemas of one database migrate without waiting for each other', async () => {
  const pool = database.pool()
  const holder = await pool.connect()
  const blocked = Database.from(pool, { schema: 'blocked' })
  await blocked.migrator.ensure(upTo(notes, 1))
  await holder.query('begin')
  await holder.query('lock table blocked.note')
  const waiting = blocked.migrator.ensure(notes)
  const free = Database.from(database.pool(), { schema: 'free' })
  await free.migrator.ensure(notes)
  await holder.query('commit')
  holder.release()
  await waiting
  await Promise.all([blocked.close(), free.close()])
})

test.each(['repeatable read', 'serializable'])(
  'two processes migrate right when transactions are %s by default',
  async (level) => {
    const schema = `level_${level.replace(' ', '_')}`
    const options = `-c default_transaction_isolation=${level.replace(' ', '\\ ')}`
    const slow: MigrationSet = {
      package: 'slow',
      migrations: [
        {
          version: 1,
          name: 'wait',
          up: (s) => [`create table ${s}.once ()`, 'select pg_advisory_xact_lock(77)'],
          down: (s) => [`drop table ${s}.once`],
        },
      ],
    }
    const one = Database.from(database.pool({ options }), { schema })
    const two = Database.from(database.pool({ options }), { schema })
    const holder = new Client({ connectionString: database.url })
    await holder.connect()
    await holder.query('select pg_advisory_lock(77)')
    const both = Promise.all([one.migrator.ensure(slow), two.migrator.ensure({ ...slow })])
    // One waits inside its step and the other for the schema's lock: the second began before the first committed.
    await vi.waitFor(
      async () => {
        const { rows } = await holder.query(
          `select count(*)::int as n from pg_locks where locktype = 'advisory' and not granted
             and database = (select oid from pg_database where datname = current_database())`,
        )
        expect(rows).toEqual([{ n: 2 }])
      },
      { timeout: 20_000 },
    )
    await holder.query('select pg_advisory_unlock(77)')
    await both
    await Promise.all([one.close(), two.close(), holder.end()])
  },
)

test('ensure() outlasts the statement timeout of the application', async () => {
  const lasting: MigrationSet = {
    package: 'lasting',
    migrations: [
      { version: 1, name: 'last', up: () => ['select pg_sleep(0.3)'], down: () => ['select 1'] },
    ],
  }
  const pool = database.pool({ statement_timeout: 150 })
  const db = Database.from(pool, { schema: 'lasting' })
  await db.migrator.ensure(lasting)
  await db.close()
})

test('ensure() says so when transactions are read-only, and works there once migrated', async () => {
  const options = '-c default_transaction_read_only=on'
  const reader = Database.from(database.pool({ options }), { schema: 'read_only' })
  await expect(reader.migrator.ensure(notes)).rejects.toMatchObject({
    code: 'CORE_MIGRATION_FORBIDDEN',
    message: expect.stringContaining('default_transaction_read_only'),
  })
  const writer = Database.from(database.pool(), { schema: 'read_only' })
  await writer.migrator.ensure(notes)
  await reader.migrator.ensure(notes)
  await Promise.all([reader.close(), writer.close()])
})
