import { type TestDatabase, testDatabase } from '@howdah/testkit'
import type { Pool } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Database, ident, migrationSql } from '../../src/index.js'
import { describeSchema, ledger } from './catalog.js'
import { notes, tags, upTo } from './sets.js'

let database: TestDatabase
let pool: Pool

beforeAll(async () => {
  database = await testDatabase()
  pool = database.pool()
})
afterAll(() => database.close())

test.each(['plain', 'we "ird', '$howdah$', "quote's\nline", '象'.repeat(21)])(
  'migrationSql() writes a script for the schema %j that manual accepts and that down takes back',
  async (schema) => {
    await pool.query(migrationSql([notes, tags], { schema }))
    const db = Database.from(pool, { schema, migrate: 'manual' })
    await db.migrator.ensure(notes)
    await db.migrator.ensure(tags)
    const states = (await db.migrator.status([notes, tags])).map(({ state }) => state)
    expect(states).toEqual(['current', 'current'])

    await pool.query(migrationSql([notes, tags], { schema, direction: 'down' }))
    expect(await ledger(pool, ident(schema))).toEqual([])
    await db.close()
  },
)

test('migrationSql() makes what up() makes', async () => {
  await pool.query(migrationSql([notes, tags], { schema: 'twin' }))
  const scripted = await describeSchema(pool, 'twin')
  await pool.query('drop schema twin cascade')
  const db = Database.from(pool, { schema: 'twin' })
  await db.migrator.up([notes, tags])
  expect(await describeSchema(pool, 'twin')).toEqual(scripted)
  await db.close()
})

test('migrationSql() goes on from the version that a package has', async () => {
  const schema = 'onward'
  await pool.query(migrationSql([upTo(notes, 1)], { schema }))
  await pool.query(migrationSql([notes, tags], { schema, current: { notes: 1 } }))
  expect(await ledger(pool, schema)).toHaveLength(5)
  await pool.query(
    migrationSql([upTo(notes, 3)], { schema, direction: 'down', current: { notes: 3 } }),
  )
  expect(await ledger(pool, schema)).toEqual(['tags 1 create-tag', 'tags 2 add-view'])
})

test('a script that was applied already fails and changes nothing', async () => {
  const client = await pool.connect()
  await client.query(migrationSql([notes], { schema: 'twice' }))
  await expect(client.query(migrationSql([notes], { schema: 'twice' }))).rejects.toThrow('exists')
  await client.query('rollback')
  client.release()
  expect(await ledger(pool, 'twice')).toHaveLength(3)
})

test('migrationSql() runs as a role that owns only the schema', async () => {
  await pool.query('create role script_owner')
  await pool.query('create schema owned authorization script_owner')
  const limited = database.pool({ options: '-c role=script_owner' })
  await limited.query(migrationSql([notes], { schema: 'owned' }))
  expect(await ledger(limited, 'owned')).toHaveLength(3)
  await limited.end()
  await pool.query('drop owned by script_owner')
  await pool.query('drop role script_owner')
})

test.each([
  { schema: '' },
  { schema: 'a\0b' },
  { direction: 'sideways' },
  { current: { notes: -1 } },
])('migrationSql() refuses %j', (options) => {
  expect(() => migrationSql([notes], options as never)).toThrow(
    expect.objectContaining({ code: expect.stringMatching(/^CORE_INVALID_(NAME|OPTION)$/) }),
  )
})
