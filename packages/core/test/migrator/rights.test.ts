import { type TestDatabase, testDatabase } from '@howdah/testkit'
import type { Pool } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Database } from '../../src/index.js'
import { ledger } from './catalog.js'
import { notes } from './sets.js'

let database: TestDatabase
let owner: Pool
let role: string
let limited: Pool

beforeAll(async () => {
  database = await testDatabase()
  owner = database.pool()
  role = `limited_${process.pid}_${Date.now()}`
  await owner.query(`create role ${role}`)
  limited = database.pool({ options: `-c role=${role}` })
})
afterAll(async () => {
  await owner.query(`drop owned by ${role}`)
  await owner.query(`drop role ${role}`)
  await database.close()
})

/** What the error tells the reader to run. */
async function remedy(db: Database): Promise<string> {
  const error = await db.migrator.ensure(notes).then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(error).toMatchObject({ code: 'CORE_MIGRATION_FORBIDDEN' })
  return /run: (.*)$/.exec((error as Error).message)?.[1] ?? ''
}

test('ensure() works for a role that owns one schema and may do nothing else', async () => {
  await owner.query(`create schema mine authorization ${role}`)
  const db = Database.from(limited, { schema: 'mine' })
  await db.migrator.ensure(notes)
  expect(await ledger(limited, 'mine')).toHaveLength(3)
  await db.migrator.down(notes, { to: 0 })
  await db.close()
})

test('ensure() names the statement that lets a role without rights make the schema', async () => {
  const db = Database.from(limited, { schema: 'not "yet' })
  const sql = await remedy(db)
  expect(sql).toBe(`create schema "not ""yet" authorization "${role}";`)
  await owner.query(sql)
  await db.migrator.ensure(notes)
  await db.close()
})

test('ensure() names the grants that let a role make tables in the schema of another', async () => {
  await owner.query('create schema theirs')
  const db = Database.from(limited, { schema: 'theirs' })
  await owner.query(await remedy(db))
  await db.migrator.ensure(notes)
  await db.close()
})

test("ensure() with migrate: 'manual' names the grants that let a role read the ledger", async () => {
  const maker = Database.from(owner, { schema: 'read_ledger' })
  await maker.migrator.ensure(notes)
  const db = Database.from(limited, { schema: 'read_ledger', migrate: 'manual' })
  await owner.query(await remedy(db))
  await db.migrator.ensure(notes)
  await Promise.all([maker.close(), db.close()])
})

test('ensure() asks for the rights a step lacks, and changes nothing', async () => {
  const maker = Database.from(owner, { schema: 'step_rights' })
  await maker.migrator.ensure({ ...notes, migrations: notes.migrations.slice(0, 1) })
  await owner.query(`grant usage, create on schema step_rights to ${role}`)
  await owner.query(`grant select, insert, delete on step_rights.migration to ${role}`)
  const db = Database.from(limited, { schema: 'step_rights' })
  await expect(db.migrator.ensure(notes)).rejects.toMatchObject({
    code: 'CORE_MIGRATION_FORBIDDEN',
    message: expect.stringContaining("Migration 2 (index-body) of 'notes'"),
  })
  expect(await ledger(owner, 'step_rights')).toHaveLength(1)
  await Promise.all([maker.close(), db.close()])
})
