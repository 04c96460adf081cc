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
  await pool.query('drop table if exists note cascade')
  await new SearchIndex('notes', options()).detach()
  await pool.query('create table note (id int primary key, text text, other int)')
  await pool.query(`insert into note values (1, 'first'), (2, 'second')`)
})
afterAll(() => database.close())

const keys = async (index: SearchIndex, query: string) =>
  (await index.search(query)).hits.map((hit) => hit.key)

const columns = async () =>
  (
    await pool.query(`select attname::text as name from pg_attribute
      where attrelid = 'note'::regclass and attnum > 0 and not attisdropped order by attnum`)
  ).rows.map(({ name }) => name)

test('an engine that there is not, or that cannot do what is asked, is refused when the index is made', () => {
  const made = (more: object) => () => new SearchIndex('notes', options(more))
  const invalid = expect.objectContaining({ code: 'SEARCH_INVALID_OPTION' })
  expect(made({ engine: 'lucene' })).toThrow(invalid)
  expect(made({ engine: '__proto__' })).toThrow(invalid)
  expect(made({ engine: null })).toThrow(invalid)
  const unsupported = expect.objectContaining({ code: 'SEARCH_UNSUPPORTED' })
  for (const engine of ['pg_textsearch', 'pg_search']) {
    expect(made({ engine, fields: { text: { weight: 0.5 } } })).toThrow(unsupported)
    expect(made({ engine, fields: { text: { weight: 11 } } })).toThrow(unsupported)
  }
  const fields = Object.fromEntries(Array.from({ length: 100 }, (_, n) => [`f${n}`, {}]))
  expect(made({ engine: 'tsvector', fields })).toThrow(unsupported)
  expect(made({ engine: 'native', fields })).not.toThrow()
})

test.each(['pg_textsearch', 'pg_search'] as const)(
  'the engine %s says what to install where it is not there',
  async (engine) => {
    const { rows } = await pool.query('select 1 from pg_extension where extname = $1', [engine])
    if (rows.length > 0) return
    const index = new SearchIndex('notes', options({ engine }))
    await expect(index.attach()).rejects.toMatchObject({
      code: 'SEARCH_ENGINE_MISSING',
      message: expect.stringContaining(`create extension ${engine}`),
    })
    expect(await columns()).toEqual(['id', 'text', 'other'])
    expect((await pool.query('select 1 from howdah.search_index')).rows).toEqual([])
  },
)

test('an index moves from one engine to another by rebuild(), and is searched all the time', async () => {
  const native = new SearchIndex('notes', options())
  await native.attach()
  const other = new SearchIndex('notes', options({ engine: 'tsvector' }))
  await expect(other.attach()).rejects.toMatchObject({ code: 'SEARCH_DEFINITION_CHANGED' })
  await other.rebuild()
  expect(await columns()).toHaveLength(5)
  await expect(native.search('first')).rejects.toMatchObject({ code: 'SEARCH_DEFINITION_CHANGED' })
  await pool.query(`insert into note values (3, 'third')`)
  expect(await keys(other, 'third')).toEqual(['3'])
  await native.rebuild()
  expect(await columns()).toEqual(['id', 'text', 'other'])
  await pool.query(`insert into note values (4, 'fourth')`)
  expect((await keys(native, 'third fourth')).sort()).toEqual(['3', '4'])
})

test('indexes of both engines live on one table, and hits show neither', async () => {
  const native = new SearchIndex('notes', options())
  const other = new SearchIndex('others', options({ engine: 'tsvector' }))
  await other.attach()
  await native.attach()
  for (const index of [native, other]) {
    const [hit] = (await index.search('first')).hits
    expect(hit?.row).toEqual({ id: 1, text: 'first', other: null })
  }
  await other.detach()
  expect(await keys(native, 'first')).toEqual(['1'])
})

test('what was made on the columns of tsvector holds up detach(), which says so and can be called again', async () => {
  const index = new SearchIndex('notes', options({ engine: 'tsvector' }))
  await index.attach()
  await pool.query('create view note_view as select * from note')
  await expect(index.detach()).rejects.toMatchObject({
    code: 'SEARCH_COLUMN_IN_USE',
    message: expect.stringContaining('note_view'),
  })
  await pool.query('drop view note_view')
  await index.detach()
  expect(await columns()).toEqual(['id', 'text', 'other'])
})

test('the columns of tsvector hold what the row says, whatever is written into them', async () => {
  const index = new SearchIndex('notes', options({ engine: 'tsvector' }))
  await index.attach()
  const [, , , document, length] = await columns()
  await pool.query(`update note set "${document}" = 'lie:1', "${length}" = 1000 where id = 1`)
  await pool.query(`insert into note (id, text, "${document}") values (3, 'third', 'lie:1')`)
  await pool.query(`update note set text = 'changed', "${document}" = 'lie:1' where id = 2`)
  expect(await keys(index, 'lie')).toEqual([])
  expect((await keys(index, 'first third changed')).sort()).toEqual(['1', '2', '3'])
  // A type that has no equality is no hindrance.
  await pool.query('alter table note add column data json')
  const more = new SearchIndex('more', options({ fields: { data: {} }, engine: 'tsvector' }))
  await more.attach()
  await pool.query(`update note set data = '{"a": "json"}' where id = 1`)
  expect(await keys(more, 'json')).toEqual(['1'])
  await more.detach()
})

test('the table of tsvector can be changed, and writes go through where its fields are gone', async () => {
  const index = new SearchIndex('notes', options({ engine: 'tsvector' }))
  await index.attach()
  await pool.query('alter table note alter column text type varchar(100)')
  await pool.query(`insert into note values (3, 'third')`)
  expect(await keys(index, 'third')).toEqual(['3'])
  await pool.query('alter table note rename column text to renamed')
  await pool.query(`insert into note values (4, 'fourth')`)
  await pool.query(`update note set renamed = 'sandals' where id = 1`)
  expect((await index.stats()).errors[0]).toMatchObject({ code: '42703' })
  await pool.query('alter table note rename column renamed to text')
  await index.rebuild()
  expect((await keys(index, 'fourth sandals')).sort()).toEqual(['1', '4'])
  expect((await index.stats()).errors).toEqual([])
})

test('attach() mends an index of tsvector whose column or trigger is gone', async () => {
  const index = new SearchIndex('notes', options({ engine: 'tsvector' }))
  await index.attach()
  const [, , , document] = await columns()
  await pool.query(`alter table note drop column "${document}"`)
  await index.attach()
  expect(await keys(index, 'first')).toEqual(['1'])
  const { rows } = await pool.query(`select tgname from pg_trigger where tgname ~ '^~howdah'`)
  await pool.query(`drop trigger "${rows[0].tgname}" on note`)
  await pool.query(`insert into note values (3, 'third')`)
  await index.attach()
  expect(await keys(index, 'third')).toEqual(['3'])
  expect(await columns()).toHaveLength(5)
})

test('a generated column is no field of tsvector, and attach() says so before it makes anything', async () => {
  await pool.query(
    `alter table note add column made text generated always as (text || ' made') stored`,
  )
  const index = new SearchIndex('notes', options({ engine: 'tsvector', fields: { made: {} } }))
  await expect(index.attach()).rejects.toMatchObject({
    code: 'SEARCH_UNSUPPORTED',
    message: expect.stringContaining("'made'"),
  })
  expect(await columns()).toHaveLength(4)
  const native = new SearchIndex('notes', options({ fields: { made: {} } }))
  await native.attach()
  expect(await keys(native, 'first')).toEqual(['1'])
})

test('a partitioned table has an index of tsvector', async () => {
  await pool.query('drop table note')
  await pool.query('create table note (id int primary key, text text) partition by range (id)')
  await pool.query('create table note_a partition of note for values from (0) to (10)')
  await pool.query(`insert into note values (1, 'first')`)
  const index = new SearchIndex('notes', options({ engine: 'tsvector' }))
  await index.attach()
  await pool.query('create table note_b partition of note for values from (10) to (20)')
  await pool.query(`insert into note values (11, 'eleventh')`)
  expect((await keys(index, 'first eleventh')).sort()).toEqual(['1', '11'])
  await index.detach()
  expect(await columns()).toEqual(['id', 'text'])
})

test('under row security, scores of tsvector are those of the rows that one may see', async () => {
  await pool.query(`insert into note select n, 'filler', 1 from generate_series(10, 40) n`)
  const index = new SearchIndex('notes', options({ engine: 'tsvector' }))
  await index.attach()
  await pool.query('alter table note enable row level security')
  await pool.query('create policy own on note using (other is null)')
  await pool.query('create role note_reader')
  try {
    await pool.query('grant select on note to note_reader')
    await pool.query('grant usage on schema howdah to note_reader')
    await pool.query('grant select on all tables in schema howdah to note_reader')
    const fresh = new SearchIndex('notes', options({ engine: 'tsvector' }))
    await Database.from(pool).transaction(async (tx) => {
      await tx.query({ text: 'set local role note_reader' })
      expect((await fresh.search('filler', { client: tx })).total).toBe(0)
      const [hit] = (await fresh.search('first', { client: tx })).hits
      // One of two rows has the word, and both are as long as the mean.
      expect(hit?.score).toBeCloseTo(Math.log(2), 9)
    })
  } finally {
    await pool.query('drop owned by note_reader')
    await pool.query('drop role note_reader')
  }
})
