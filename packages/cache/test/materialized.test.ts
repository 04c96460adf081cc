import { PGlite } from '@electric-sql/pglite'
import { Database, isHowdahError } from '@howdah/core'
import { waitFor } from '@howdah/testkit'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { MaterializedQuery, migrations } from '../src/index.js'
import { Stage } from './materialized-support.js'

const ALL = 'select id, n from public.item'
const GATED = 'select id, n from public.item where public.gate()'
let stage: Stage

beforeAll(async () => {
  stage = await Stage.open()
})
beforeEach(async () => {
  await stage.pool.query('drop table if exists item cascade')
  await stage.pool.query('create table item (id int primary key, n int not null)')
  await stage.pool.query('insert into item values (1, 10), (2, 20)')
})
afterEach(() => stage.openAll())
afterAll(() => stage.close())

const add = (id: number) => stage.pool.query('insert into item values ($1, $1)', [id])

test('rows() makes the view at first use and reads it until it is refreshed', async () => {
  const query = stage.query(ALL)
  expect(await query.status()).toMatchObject({ refreshedAt: undefined, refreshing: false })
  expect(await query.rows()).toEqual([
    { id: 1, n: 10 },
    { id: 2, n: 20 },
  ])
  await add(3)
  expect(await query.rows()).toHaveLength(2)
  await query.refresh()
  expect(await query.rows()).toHaveLength(3)
  const { rows } = await stage.pool.query(`select n from ${query.view} where id = 3`)
  expect(rows).toEqual([{ n: 3 }])
  const status = await query.status()
  expect(status).toMatchObject({ refreshing: false, dirty: false, lastError: undefined, rows: 2 })
  expect(status.ageMs).toBeGreaterThanOrEqual(0)
  expect(status.durationMs).toBeGreaterThan(0)
})

test('the first use by 20 processes at once makes one view', async () => {
  const name = stage.name()
  await stage.db.migrator.ensure(migrations)
  const count = await stage.counting(name)
  const queries = Array.from({ length: 20 }, () =>
    stage.query(ALL, { refreshOn: ['item'] }, { db: stage.other(), name }),
  )
  const all = await Promise.all(queries.map((query) => query.rows()))
  expect(all.map((rows) => rows.length)).toEqual(new Array(20).fill(2))
  expect(await count()).toBe(1)
  await Promise.all(queries.map((query) => query.close()))
}, 60_000)

test('refresh() by those who come while one runs is one more refresh', async () => {
  const name = stage.name()
  const ours = stage.query(GATED, {}, { name })
  const theirs = stage.query(GATED, {}, { name, db: stage.other() })
  await Promise.all([ours.start(), theirs.start()])
  const count = await stage.counting(name)
  const before = await count()
  const open = await stage.shut()
  const first = ours.refresh()
  await waitFor(async () => (await stage.waiting()) === 1)
  expect((await theirs.status()).refreshing).toBe(true)
  await add(3)
  const drawn = async () =>
    (await stage.pool.query('select last_value::int as n from howdah.cache_materialized_run'))
      .rows[0].n
  const tickets = await drawn()
  const later = [ours.refresh(), theirs.refresh(), ours.refresh(), theirs.refresh()]
  // One a process at once, and one for whoever came while that was drawn.
  await waitFor(async () => (await drawn()) === tickets + 4)
  await open()
  await Promise.all([first, ...later])
  expect(await ours.rows()).toHaveLength(3)
  expect((await count()) - before).toBe(2)
  expect((await ours.status()).refreshing).toBe(false)
})

test('readers read the old rows while a refresh runs', async () => {
  const query = stage.query(GATED)
  await query.start()
  await stage.pool.query('insert into item values (3, 3)')
  const open = await stage.shut()
  const refreshed = query.refresh()
  await waitFor(async () => (await stage.waiting()) === 1)
  const reader = await stage.pool.connect()
  await reader.query(`set lock_timeout = '500ms'`)
  expect((await reader.query(`select * from ${query.view}`)).rows).toHaveLength(2)
  await reader.query('reset lock_timeout')
  reader.release()
  await open()
  await refreshed
  expect(await query.rows()).toHaveLength(3)
})

test('a refresh that fails keeps the rows, and status() says so until one goes well', async () => {
  const query = stage.query('select id, 10 / n as n from public.item')
  await query.start()
  await stage.pool.query('update item set n = 0 where id = 1')
  const error = await query.refresh().catch((reason) => reason)
  expect(isHowdahError(error, 'CACHE_MATERIALIZED_FAILED')).toBe(true)
  expect(error.cause.code).toBe('22012')
  expect(await query.rows()).toHaveLength(2)
  expect((await query.status()).lastError).toMatchObject({
    code: '22012',
    message: 'division by zero',
    times: 1,
  })
  await stage.pool.query('delete from item where id = 1')
  await query.refresh()
  expect((await query.status()).lastError).toBeUndefined()
  expect(await query.rows()).toHaveLength(1)
})

test('a refresh whose rows are no longer unique fails and keeps the rows', async () => {
  const query = stage.query('select n as id from public.item')
  await query.start()
  await stage.pool.query('insert into item values (3, 10)')
  await expect(query.refresh()).rejects.toMatchObject({ code: 'CACHE_MATERIALIZED_FAILED' })
  expect(await query.rows()).toHaveLength(2)
})

test('a refresh can be cancelled at the server, by its timeout, and by close()', async () => {
  const name = stage.name()
  const db = stage.other()
  const query = stage.query(GATED, {}, { name })
  const hasty = stage.query(GATED, { timeout: '1s' }, { name, db })
  await query.start()
  await hasty.start()
  const open = await stage.shut()
  const cancelled = query.refresh()
  cancelled.catch(() => {})
  await waitFor(async () => (await stage.waiting()) === 1)
  await stage.pool.query(
    `select pg_cancel_backend(pid) from pg_locks join pg_database d on d.oid = database
     where datname = current_database() and locktype = 'advisory' and not granted`,
  )
  const failed = { code: 'CACHE_MATERIALIZED_FAILED', cause: { code: '57014' } }
  await expect(cancelled).rejects.toMatchObject(failed)
  await expect(hasty.refresh()).rejects.toMatchObject(failed)
  const closed = query.refresh()
  closed.catch(() => {})
  await waitFor(async () => (await stage.waiting()) === 1)
  await query.close()
  await expect(closed).rejects.toMatchObject(failed)
  await expect(query.rows()).rejects.toMatchObject({ code: 'CACHE_CLOSED' })
  await expect(query.refresh()).rejects.toMatchObject({ code: 'CACHE_CLOSED' })
  await open()
  await hasty.refresh()
})

test('another SQL text is built beside the old view, which is read until then', async () => {
  const name = stage.name()
  const old = stage.query(ALL, {}, { name, db: stage.other() })
  await old.start()
  const newer = stage.query(
    'select id, n, 7 as more from public.item where public.gate()',
    {},
    {
      name,
    },
  )
  const open = await stage.shut()
  const built = newer.rows()
  await waitFor(async () => (await stage.waiting()) === 1)
  expect(await old.rows()).toEqual([
    { id: 1, n: 10 },
    { id: 2, n: 20 },
  ])
  await open()
  expect((await built)[0]).toEqual({ id: 1, n: 10, more: 7 })
  expect((await old.rows())[0]).toEqual({ id: 1, n: 10, more: 7 })
})

test('a view that is being read is replaced without readers waiting behind us', async () => {
  const name = stage.name()
  await stage.query(ALL, {}, { name, db: stage.other() }).start()
  const newer = stage.query('select id from public.item', {}, { name })
  const reader = await stage.pool.connect()
  await reader.query('begin')
  await reader.query(`select * from ${newer.view}`)
  const built = newer.rows()
  await waitFor(async () => {
    const { rows } = await stage.pool.query(
      `select from pg_locks where relation = $1::regclass and mode = 'AccessExclusiveLock'`,
      [newer.view],
    )
    return rows.length > 0
  })
  const other = await stage.pool.connect()
  await other.query(`set lock_timeout = '5s'`)
  expect((await other.query(`select * from ${newer.view}`)).rows).toHaveLength(2)
  await other.query('reset lock_timeout')
  other.release()
  await reader.query('commit')
  reader.release()
  expect(await built).toEqual([{ id: 1 }, { id: 2 }])
})

test('a definition the server refuses leaves the old view alone', async () => {
  const name = stage.name()
  const old = stage.query(ALL, {}, { name })
  await old.start()
  const failed = { code: 'CACHE_MATERIALIZED_FAILED' }
  for (const [sql, unique] of [
    ['select id from public.missing', 'id'],
    ['select nonsense from', 'id'],
    ['select 1 as id from public.item', 'id'],
    [ALL, 'missing'],
    ['insert into public.item values (9, 9) returning id', 'id'],
    ['select id from public.item with no data', 'id'],
  ] as const) {
    await expect(stage.query(sql, { unique }, { name }).rows()).rejects.toMatchObject(failed)
  }
  expect(await old.rows()).toHaveLength(2)
})

test('a view that others depend on is not replaced or dropped', async () => {
  const name = stage.name()
  const query = stage.query(ALL, {}, { name })
  await query.start()
  await stage.pool.query(`create view dependent as select * from ${query.view}`)
  const inUse = { code: 'CACHE_MATERIALIZED_IN_USE' }
  await expect(query.drop()).rejects.toMatchObject(inUse)
  await expect(stage.query(`${ALL} limit 1`, {}, { name }).start()).rejects.toMatchObject(inUse)
  expect(await query.rows()).toHaveLength(2)
  await stage.pool.query('drop view dependent')
  await query.drop()
})

test('drop() leaves nothing behind, and the next use makes all anew', async () => {
  const name = stage.name()
  const query = stage.query(ALL, { refreshOn: ['item'], debounce: '1h' }, { name })
  const other = stage.query(ALL, {}, { name, db: stage.other() })
  await query.start()
  await add(3)
  await query.drop()
  await query.drop()
  const { rows } = await stage.pool.query(
    `select relname::text as name from pg_class where relname like 'cache\\_view\\_' || $1 || '%'
     union all select tgname::text from pg_trigger where tgrelid = 'item'::regclass
     union all select proname::text from pg_proc where proname like 'cache\\_changed\\_%'
       and proname not in (select 'cache_changed_' || id from howdah.cache_materialized)
     union all select name from howdah.cache_materialized where name = $1
     union all select query::text from howdah.cache_materialized_mark
       where query not in (select id from howdah.cache_materialized)`,
    [name],
  )
  expect(rows).toEqual([])
  expect(await query.rows()).toHaveLength(3)
  await other.start()
  await query.drop()
  await other.refresh()
  await query.drop()
  expect(await other.rows()).toHaveLength(3)
})

test('names of any kind are as safe as they are apart', async () => {
  const names = [
    'A',
    'a',
    'a-b',
    'a b',
    'a"b',
    "a'; drop table item",
    '😀',
    'x'.repeat(100),
    '$',
    '',
  ]
  await stage.pool.query('create schema if not exists "we ""ird.schema"')
  await stage.pool.query(
    `create table "we ""ird.schema"."ta.b""le'" ("i""d" int primary key, "%s" text)`,
  )
  const table = { schema: 'we "ird.schema', table: `ta.b"le'` }
  const sql = `select "i""d", "%s" from "we ""ird.schema"."ta.b""le'" -- ;`
  const queries = names
    .filter((name) => name !== '')
    .map((name) =>
      stage.query(sql, { unique: ['i"d'], refreshOn: [table], debounce: '1h' }, { name }),
    )
  for (const query of queries) await query.start()
  expect(new Set(queries.map((query) => query.view)).size).toBe(queries.length)
  await stage.pool.query(`insert into "we ""ird.schema"."ta.b""le'" values (1, 'x')`)
  for (const query of queries) {
    expect((await query.status()).dirty).toBe(true)
    await query.refresh()
    expect(await query.rows()).toEqual([{ 'i"d': 1, '%s': 'x' }])
    await query.drop()
  }
  await stage.pool.query('drop schema "we ""ird.schema" cascade')
})

test('bad arguments are refused at construction', () => {
  const make = (name: unknown, sql: unknown, options: unknown) => () =>
    new MaterializedQuery(stage.db, name as string, sql as string, options as { unique: 'id' })
  const refused = (code: string) => expect.objectContaining({ code })
  for (const name of ['', 'a\0', '\ud800', 'x'.repeat(101), 7]) {
    expect(make(name, ALL, { unique: 'id' })).toThrow(refused('CACHE_INVALID_OPTION'))
  }
  for (const options of [
    undefined,
    {},
    { unique: [] },
    { unique: '' },
    { unique: ['a', 'a'] },
    { unique: 'id', refreshOn: 'item' },
    { unique: 'id', refreshOn: ['a.b.c'] },
    { unique: 'id', refreshOn: [{}] },
    { unique: 'id', refreshOn: [''] },
  ]) {
    expect(make('q', ALL, options)).toThrow(refused('CACHE_INVALID_OPTION'))
  }
  for (const more of [
    { refreshEvery: 'often' },
    { refreshEvery: 0 },
    { debounce: -1 },
    { debounce: '1m', maxWait: '1s' },
    { timeout: 0 },
  ]) {
    const options = { unique: 'id', ...more }
    expect(make('q', ALL, options)).toThrow(refused('CORE_INVALID_DURATION'))
  }
  expect(() => new MaterializedQuery(stage.db.tenant('t'), 'q', ALL, { unique: 'id' })).toThrow(
    refused('CACHE_INVALID_OPTION'),
  )
})

test('works on PGlite', async () => {
  const pglite = new PGlite()
  const db = Database.from(pglite)
  await pglite.exec('create table item (id int primary key, n int)')
  const query = new MaterializedQuery(db, 'q', ALL, {
    unique: 'id',
    refreshOn: ['item'],
    debounce: 0,
  })
  expect(await query.rows()).toEqual([])
  await pglite.exec('insert into item values (1, 2)')
  await waitFor(async () => (await query.rows()).length === 1)
  await query.refresh()
  expect(await query.status()).toMatchObject({ refreshing: false, dirty: false })
  await query.drop()
  await query.close()
  await db.close()
  await pglite.close()
})

test('taking the migration back removes views and triggers', async () => {
  const db = stage.track(Database.from(stage.pool, { schema: 'to "go' }))
  const query = stage.query(ALL, { refreshOn: ['item'] }, { db, name: 'Will go' })
  await query.start()
  await query.close()
  await db.migrator.down(migrations, { to: 0 })
  const { rows } = await stage.pool.query(
    `select relname::text from pg_class where relnamespace = '"to ""go"'::regnamespace
       and relname like 'cache%'
     union all select tgname::text from pg_trigger where tgrelid = 'item'::regclass`,
  )
  expect(rows).toEqual([])
})
