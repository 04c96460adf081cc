import { PGlite } from '@electric-sql/pglite'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Database, migrationSql } from '../../src/index.js'
import { notes, tags } from './sets.js'

let pglite: PGlite

beforeAll(async () => {
  pglite = await PGlite.create()
})
afterAll(() => pglite.close())

test('ensure(), down() and status() work on PGlite, also several at once', async () => {
  const db = Database.from(pglite, { schema: 'we "ird' })
  await Promise.all([db.migrator.ensure(notes), db.migrator.ensure(tags), pglite.query('select 1')])
  const states = async () =>
    (await db.migrator.status([notes, tags])).map(({ package: name, current }) => [name, current])
  expect(await states()).toEqual([
    ['notes', 3],
    ['tags', 2],
  ])
  await db.migrator.down(notes, { to: 1 })
  expect(await states()).toEqual([
    ['notes', 1],
    ['tags', 2],
  ])
  await db.close()
})

test('a failing step leaves nothing in PGlite', async () => {
  const db = Database.from(pglite, { schema: 'failing' })
  const failing = {
    package: 'failing',
    migrations: [
      { version: 1, name: 'fail', up: () => ['select 1 / 0'], down: () => ['select 1'] },
    ],
  }
  await expect(db.migrator.ensure(failing)).rejects.toMatchObject({ code: 'CORE_MIGRATION_FAILED' })
  const { rows } = await pglite.query("select from pg_namespace where nspname = 'failing'")
  expect(rows).toEqual([])
  await db.close()
})

test('what others write while a step fails in PGlite is not rolled back with it', async () => {
  await pglite.query('create table beside (n int)')
  const failing = {
    package: 'failing',
    migrations: [
      {
        version: 1,
        name: 'fail',
        up: () => ['select 1', 'select 2', 'select 3', 'select 1 / 0'],
        down: () => ['select 1'],
      },
    ],
  }
  const db = Database.from(pglite, { schema: 'beside' })
  let over = false
  const failed = expect(db.migrator.ensure(failing)).rejects.toMatchObject({
    code: 'CORE_MIGRATION_FAILED',
  })
  const settled = failed.finally(() => {
    over = true
  })
  let written = 0
  while (!over) await pglite.query('insert into beside values ($1)', [++written])
  await settled
  const { rows } = await pglite.query('select count(*)::int as n from beside')
  expect(rows).toEqual([{ n: written }])
  await db.close()
})

test('migrationSql() runs in PGlite', async () => {
  await pglite.exec(migrationSql([notes], { schema: 'scripted' }))
  const db = Database.from(pglite, { schema: 'scripted', migrate: 'manual' })
  await db.migrator.ensure(notes)
  await db.close()
})
