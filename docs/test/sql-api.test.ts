import { readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { migrations as cache } from '@howdah/cache'
import { coreMigrations, Database } from '@howdah/core'
import { migrations as pubsub } from '@howdah/pubsub'
import { migrations as queue } from '@howdah/queue'
import { migrations as search } from '@howdah/search'
import { migrations as session } from '@howdah/session'
import { type TestDatabase, testDatabase } from '@howdah/testkit'
import type pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { pages, ROOT } from './markdown.js'
import { readSqlApi, type SqlPackage, sqlApiPage } from './sql-api.js'

/** Packages whose functions and views are on the page. */
const SETS = [coreMigrations, cache, pubsub, queue, search, session]
/** Quoted wherever it is used, or nothing is found in it. */
const SCHEMA = 'sql "api'

let database: TestDatabase
let pool: pg.Pool
let api: readonly SqlPackage[]

beforeAll(async () => {
  database = await testDatabase()
  pool = database.pool()
  api = await readSqlApi(pool, SCHEMA, SETS)
})
afterAll(() => database.close())

test('the page says what the catalog says: npm test -- docs/test/sql-api.test.ts -u writes it anew', async () => {
  await expect(sqlApiPage(api)).toMatchFileSnapshot(join(ROOT, 'docs/sql-api.md'))
})

test('every view and every column of one has a comment', () => {
  const views = api.flatMap((one) => one.views)
  expect(views.map(({ name }) => name).toSorted()).toEqual([
    'cache_stats',
    'query_stats',
    'queue_stats',
    'search_stats',
    'session_stats',
    'stream_group_stats',
    'stream_stats',
  ])
  for (const { name, about, columns } of views) {
    expect(about, name).toMatch(/\.$/)
    for (const column of columns) expect(column.about, `${name}.${column.name}`).toMatch(/\.$/)
  }
})

test('functions that guides tell people to call are on the page', () => {
  const known = new Set(
    api.flatMap((one) => [...one.functions, ...one.views]).map(({ name }) => name),
  )
  expect(known.size).toBeGreaterThan(25)
  for (const page of pages()) {
    // To grant a function is not to call it.
    const called = readFileSync(page, 'utf8').matchAll(/(?<!function )\bhowdah\.(\w+)\(/g)
    for (const [, name] of called) expect(known, `${basename(page)}: ${name}`).toContain(name)
  }
})

test('going back takes views and comments away again', async () => {
  const db = Database.from(pool, { schema: SCHEMA })
  for (const set of SETS.toReversed()) {
    await db.migrator.down(set, { to: set.migrations.length - 1 })
  }
  const left = await pool.query(
    `select c.relname as name from pg_class c where c.relnamespace = quote_ident($1)::regnamespace and c.relkind = 'v'
     union all
     select p.proname from pg_proc p where p.pronamespace = quote_ident($1)::regnamespace
       and p.proname in ('queue_open', 'cache_get', 'session_list', 'stream_trim', 'hub_alive') and obj_description(p.oid, 'pg_proc') is not null`,
    [SCHEMA],
  )
  expect(left.rows).toEqual([])
  await db.migrator.up(SETS)
  await db.close()
})
