import { Database } from '@howdah/core'
import { SearchIndex, type SearchIndexOptions } from '@howdah/search'
import { type TestDatabase, testDatabase } from '@howdah/testkit'
import type { Pool } from 'pg'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'

let database: TestDatabase
let pool: Pool
const options = (more: Partial<SearchIndexOptions> = {}): SearchIndexOptions => ({
  pool,
  table: 'note',
  key: 'id',
  fields: { text: {} },
  ...more,
})

beforeAll(async () => {
  database = await testDatabase()
  pool = database.pool()
})
beforeEach(async () => {
  await new SearchIndex('notes', options()).detach()
  await pool.query('drop table if exists note')
  await pool.query('create table note (id int primary key, text text, other int)')
  await pool.query(`insert into note values (1, 'first'), (2, 'second')`)
})
afterAll(() => database.close())

async function attached(more: Partial<SearchIndexOptions> = {}) {
  const index = new SearchIndex('notes', options(more))
  await index.attach()
  return index
}
const keys = async (index: SearchIndex, query: string) =>
  (await index.search(query)).hits.map((hit) => hit.key)
const leftovers = async () =>
  (
    await pool.query(`
      select relname::text as name from pg_class
      where relnamespace = 'howdah'::regnamespace and relname ~ '^search_[a-z]+_\\d'
      union all select tgname::text from pg_trigger where not tgisinternal and tgname not like 'cache_%'
      union all select proname::text from pg_proc where starts_with(proname, 'search_do_')`)
  ).rows

test('attach() indexes the rows that are there, and does nothing the second time', async () => {
  const index = await attached()
  expect(await keys(index, 'second')).toEqual(['2'])
  const before = await leftovers()
  await index.attach()
  expect(await leftovers()).toEqual(before)
})

test('attach() of many processes at once makes one index', async () => {
  const pools = Array.from({ length: 8 }, () => database.pool({ max: 2 }))
  const indexes = pools.map((own) => new SearchIndex('notes', options({ pool: own })))
  await Promise.all(indexes.map((index) => index.attach()))
  expect(await Promise.all(indexes.map((index) => keys(index, 'first')))).toEqual(
    indexes.map(() => ['1']),
  )
  const { rows } = await pool.query('select generation from howdah.search_index')
  expect(rows).toEqual([{ generation: 1 }])
})

test('attach() misses no row that is written meanwhile', async () => {
  const writers = Array.from({ length: 4 }, async (_, writer) => {
    for (let n = 0; n < 50; n++) {
      await pool.query(`insert into note values ($1, 'word')`, [100 * (writer + 1) + n])
      if (n % 5 === 0) await pool.query('delete from note where id = $1', [100 * (writer + 1) + n])
    }
  })
  const index = await attached()
  await Promise.all(writers)
  expect((await index.search('word')).total).toBe(160)
  expect((await index.stats()).documents).toBe(162)
})

test('a write is searchable in its own transaction, and for others once it commits', async () => {
  const index = await attached()
  await Database.from(pool).transaction(async (tx) => {
    await tx.query(`insert into note values (3, 'third')`)
    expect((await index.search('third', { client: tx })).total).toBe(1)
    expect((await index.search('third')).total).toBe(0)
  })
  expect(await keys(index, 'third')).toEqual(['3'])
  await expect(
    Database.from(pool).transaction(async (tx) => {
      await tx.query('delete from note where id = 3')
      throw new Error('undo')
    }),
  ).rejects.toThrow('undo')
  expect(await keys(index, 'third')).toEqual(['3'])
})

test('an update of other columns leaves the document alone', async () => {
  await attached()
  const version = async () =>
    (await pool.query(`select xmin::text from ${await documents()} order by key`)).rows
  const before = await version()
  await pool.query('update note set other = 7')
  expect(await version()).toEqual(before)
})

/** The table in which a document lies that was added of late. */
async function documents(): Promise<string> {
  const { rows } = await pool.query(`
    select oid::regclass::text as name from pg_class
    where relname ~ '^search_hot_\\d+_\\d+$'`)
  return rows[0].name
}

test('copy, upsert, merge and cascading deletes are followed', async () => {
  await pool.query('create table parent (id int primary key)')
  await pool.query(
    'alter table note add constraint p foreign key (other) references parent on delete cascade',
  )
  await pool.query('insert into parent values (1)')
  const index = await attached()
  await pool.query(`insert into note values (1, 'upserted'), (4, 'added')
    on conflict (id) do update set text = excluded.text`)
  expect(await keys(index, 'first')).toEqual([])
  expect(await keys(index, 'upserted')).toEqual(['1'])
  expect(await keys(index, 'added')).toEqual(['4'])
  await pool.query(`merge into note n using (values (1), (9)) v(id) on n.id = v.id
    when matched then delete when not matched then insert values (v.id, 'merged', 1)`)
  expect(await keys(index, 'upserted')).toEqual([])
  expect(await keys(index, 'merged')).toEqual(['9'])
  await pool.query('delete from parent')
  expect(await keys(index, 'merged')).toEqual([])
  expect((await index.stats()).errors).toEqual([])
  await pool.query('drop table parent cascade')
})

test('a text beyond the limit of a tsvector is indexed in part, and its write goes through', async () => {
  const index = await attached()
  const huge = Array.from({ length: 150_000 }, (_, n) => `x${n.toString(36)}y`).join(' ')
  await pool.query('insert into note values (5, $1)', [`needle ${huge} end`])
  expect(await keys(index, 'needle')).toEqual(['5'])
  expect(await keys(index, 'end')).toEqual([])
  expect((await index.stats()).partial).toEqual([
    { key: '5', problem: expect.stringContaining('too long for tsvector') },
  ])
  await pool.query(
    `insert into note values (6, repeat('y', 3000000)), (7, null), (8, E'\\x01 \\\\ ''')`,
  )
  expect((await index.stats()).documents).toBe(6)
})

test('a write goes through even where the index is broken, and stats() says so', async () => {
  const index = await attached()
  await pool.query('alter table note rename column text to renamed')
  await pool.query(`insert into note values (3, 'third')`)
  await pool.query('truncate note')
  expect((await index.stats()).errors[0]).toMatchObject({ code: '42703' })
  await pool.query('alter table note rename column renamed to text')
  await pool.query(`insert into note values (3, 'third')`)
  await pool.query(`drop table ${await documents()} cascade`)
  await pool.query(`insert into note values (4, 'fourth')`)
  await index.rebuild()
  expect(await keys(index, 'third fourth')).toEqual(['3', '4'])
  expect((await index.stats()).errors).toEqual([])
})

test('maintain() folds the log of statistics, which keeps its sums', async () => {
  const index = await attached()
  await pool.query(`do $$ begin
    for n in 100..1999 loop
      insert into note values (n, 'two words');
    end loop;
  end $$`)
  await index.maintain()
  const { rows } = await pool.query(
    `select count(*)::int as rows, sum(documents)::int as documents, sum(length)::int as length
     from ${(await documents()).replace('hot', 'tally')}`,
  )
  expect(rows).toEqual([{ rows: 1, documents: 1902, length: 1900 * 2 + 2 }])
  expect((await index.stats()).errors).toEqual([])
})

test('a role without rights on the schema can write the table', async () => {
  const index = await attached()
  const admin = database.adminPool()
  await admin.query('create role writer_only')
  try {
    await admin.query('grant all on note to writer_only')
    await Database.from(admin).transaction(async (tx) => {
      await tx.query('set local role writer_only')
      await tx.query(`insert into note values (3, 'third')`)
    })
    expect(await keys(index, 'third')).toEqual(['3'])
  } finally {
    await admin.query('drop owned by writer_only')
    await admin.query('drop role writer_only')
  }
})

test('attach() makes the index anew after a restore, in which tables have other numbers, and leaves nothing of the old one', async () => {
  await attached()
  await pool.query('update howdah.search_generation set relation = 1')
  await attached()
  await pool.query(`insert into note values (3, 'third')`)
  const index = await attached()
  expect(await keys(index, 'third')).toEqual(['3'])
  expect(await keys(index, 'first')).toEqual(['1'])
  const { rows } = await pool.query(
    `select count(*)::int as n from pg_trigger where tgrelid = 'note'::regclass and not tgisinternal`,
  )
  expect(rows).toEqual([{ n: 4 }])
})

test('attach() refuses other fields under the same name until rebuild()', async () => {
  const old = await attached()
  const changed = new SearchIndex('notes', options({ fields: { text: {}, other: { weight: 2 } } }))
  const error = { code: 'SEARCH_DEFINITION_CHANGED' }
  await expect(changed.attach()).rejects.toMatchObject(error)
  await expect(changed.search('x')).rejects.toMatchObject(error)
  await changed.rebuild()
  await pool.query('update note set other = 77 where id = 1')
  expect(await keys(changed, '77')).toEqual(['1'])
  await expect(old.search('first')).rejects.toMatchObject(error)
})

test('rebuild() by another process is noticed', async () => {
  const a = await attached()
  expect(await keys(a, 'first')).toEqual(['1'])
  await new SearchIndex('notes', options({ pool: database.pool() })).rebuild()
  expect(await keys(a, 'first')).toEqual(['1'])
})

test('attach() mends an index whose table was replaced or whose trigger is gone', async () => {
  const index = await attached()
  await pool.query('drop table note')
  await pool.query('create table note (id int primary key, text text, other int)')
  await pool.query(`insert into note values (3, 'third')`)
  await index.attach()
  expect(await keys(index, 'first third')).toEqual(['3'])
  const { rows } = await pool.query(`select tgname from pg_trigger where tgname ~ '_insert$'`)
  await pool.query(`drop trigger "${rows[0].tgname}" on note`)
  await pool.query(`insert into note values (4, 'fourth')`)
  await index.attach()
  expect(await keys(index, 'fourth')).toEqual(['4'])
})

test('detach() leaves nothing behind, also when the table is gone', async () => {
  const index = await attached()
  await index.detach()
  expect(await leftovers()).toEqual([])
  await expect(index.search('first')).rejects.toMatchObject({ code: 'SEARCH_NOT_ATTACHED' })
  await index.detach()
  await index.attach()
  await pool.query('drop table note')
  await index.detach()
  expect(await leftovers()).toEqual([])
})

test('attach() says what does not fit the database, and makes nothing', async () => {
  const refused = async (more: Partial<SearchIndexOptions>, code: string) => {
    const index = new SearchIndex('notes', options(more))
    await expect(index.attach()).rejects.toMatchObject({ name: 'HowdahError', code })
  }
  await pool.query('create or replace view note_view as select * from note')
  await refused({ table: 'missing' }, 'SEARCH_UNKNOWN_TABLE')
  await refused({ table: 'note_view' }, 'SEARCH_UNKNOWN_TABLE')
  await refused({ fields: { missing: {} } }, 'SEARCH_UNKNOWN_COLUMN')
  await refused({ fields: JSON.parse('{ "__proto__": {} }') }, 'SEARCH_UNKNOWN_COLUMN')
  await refused({ facets: ['constructor'] }, 'SEARCH_UNKNOWN_COLUMN')
  await refused({ key: 'other' }, 'SEARCH_KEY_NOT_UNIQUE')
  await refused({ language: 'klingon' }, 'SEARCH_UNKNOWN_LANGUAGE')
  await pool.query('drop view note_view')
  expect(await leftovers()).toEqual([])
})
