import { SearchIndex } from '@howdah/search'
import { type TestDatabase, testDatabase } from '@howdah/testkit'
import type { Pool } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'

const ROWS = 1500

let database: TestDatabase
let pool: Pool

beforeAll(async () => {
  database = await testDatabase()
  pool = database.pool()
})
afterAll(() => database.close())

async function indexed(name: string, keyType: string, filter = false): Promise<SearchIndex> {
  await pool.query(`create table ${name} (id ${keyType} primary key, category text, body text)`)
  await pool.query(
    `insert into ${name} select 'key ' || n, 'c' || n % 3, 'word' || n % 7 || ' common' from generate_series(1, $1::int) n`,
    [ROWS],
  )
  const index = new SearchIndex(name, {
    pool,
    table: name,
    key: 'id',
    fields: { body: {} },
    language: 'simple',
    filters: filter ? ['category'] : [],
  })
  await index.attach()
  return index
}

test.each([
  ['text'],
  ['text collate "C"'],
  ['text collate "en-x-icu"'],
  ['varchar(40) collate "und-x-icu"'],
])(
  'keys of type %s are found, also of new rows, with filters and without words',
  async (keyType) => {
    const name = `keys_${keyType.toLowerCase().replace(/\W+/g, '_')}`
    await using index = await indexed(name, keyType, true)
    await pool.query(`insert into ${name} values ('Ünïcode', 'c1', 'fresh word1')`)
    expect((await index.search('fresh')).hits.map(({ key }) => key)).toEqual(['Ünïcode'])
    expect((await index.search('common')).total).toBe(ROWS)
    const filtered = await index.search('word1', { filters: { category: 'c1' }, limit: 1000 })
    expect(filtered.total).toBe(filtered.hits.length)
    expect(filtered.hits.length).toBeGreaterThan(ROWS / 7 / 4)
    expect((await index.search('', { limit: 3 })).total).toBe(ROWS + 1)
    await pool.query(`update ${name} set body = 'changed' where id = 'key 1'`)
    await index.maintain()
    expect((await index.search('changed')).hits.map(({ key }) => key)).toEqual(['key 1'])
  },
)

test('rows are looked up by the index of a text key, not by reading all of it', async () => {
  await using filled = await indexed('looked_up', 'text')
  const own = database.pool({ max: 1 })
  const index = new SearchIndex('looked_up', {
    pool: own,
    table: 'looked_up',
    key: 'id',
    fields: { body: {} },
    language: 'simple',
  })
  await index.search('common')
  const searched = await own.connect()
  // What a transaction has read counts at once for itself.
  await searched.query('begin')
  await index.search('common word1 word2', { client: searched })
  const { rows } = await searched.query(
    `select pg_stat_get_xact_tuples_returned('looked_up_pkey'::regclass)::int as read`,
  )
  await searched.query('rollback')
  searched.release()
  await index.close()
  expect(rows[0].read).toBeGreaterThan(0)
  expect(rows[0].read).toBeLessThan(ROWS / 2)
  expect((await filled.stats()).errors).toEqual([])
})
