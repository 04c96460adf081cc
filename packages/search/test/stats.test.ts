import { metrics } from '@howdah/core/metrics'
import { SearchIndex } from '@howdah/search'
import { type TestDatabase, testDatabase } from '@howdah/testkit'
import type { Pool } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'

let database: TestDatabase
let pool: Pool
let index: SearchIndex

beforeAll(async () => {
  database = await testDatabase()
  pool = database.pool()
  await pool.query('create table doc (id int primary key, body text)')
  await pool.query(
    `insert into doc select n, 'word' || n || ' common of all' from generate_series(1, 5000) n`,
  )
  index = new SearchIndex('it\'s "one"', {
    pool,
    table: 'doc',
    key: 'id',
    fields: { body: {} },
    log: 'plain',
  })
  await index.attach()
  await index.maintain()
})
afterAll(async () => {
  await index.close()
  await database.close()
})

const view = async (client: Pick<Pool, 'query'> = pool) =>
  (await client.query<Record<string, unknown>>('select * from howdah.search_stats order by index'))
    .rows

test('stats() tells rows, sizes and what searches took', async () => {
  const { documents, hot, segments, postings, words, bytes, filling, partial, errors, searches } =
    await index.stats()
  expect([documents, filling, partial, errors]).toEqual([5000, undefined, [], []])
  expect(segments).toBeGreaterThan(0)
  expect(hot).toBeLessThan(1000)
  expect(postings).toBeGreaterThan(4000)
  // Each has a word of its own, and all have two that are no stop words.
  expect(words).toBeGreaterThan(5000)
  for (const size of Object.values(bytes)) expect(size).toBeGreaterThan(100_000)
  expect(searches).toEqual({ count: 0, failed: 0, p50Ms: undefined, p99Ms: undefined })
})

test('searches are counted and timed, those that fail as well', async () => {
  const { searches: before } = await index.stats()
  for (let n = 0; n < 20; n++) await index.search('common')
  await expect(index.search('x', { filters: { body: 'x' } })).rejects.toThrow()
  await expect(index.search('x', { after: 'none' })).rejects.toThrow()
  const { searches, log } = await index.stats()
  expect(searches.count - before.count).toBe(21)
  expect(searches.failed - before.failed).toBe(1)
  expect(searches.p50Ms).toBeGreaterThan(0)
  expect(searches.p99Ms).toBeGreaterThanOrEqual(searches.p50Ms ?? Number.NaN)
  expect((log?.waiting ?? 0) + (log?.written ?? 0)).toBe(20)
})

test('the view has a row an index, for who has no right to the tables', async () => {
  const other = new SearchIndex('another', { pool, table: 'doc', key: 'id', fields: { body: {} } })
  await other.attach()
  await other.close()
  await pool.query('create role watcher')
  await pool.query('grant usage on schema howdah to watcher')
  await pool.query('grant select on howdah.search_stats to watcher')
  const client = await pool.connect()
  try {
    await client.query('begin')
    await client.query('set local role watcher')
    const rows = await view(client)
    expect(rows.map((row) => [row['index'], row['indexed_table'], row['documents']])).toEqual([
      ['another', 'public.doc', '5000'],
      [`it's "one"`, 'public.doc', '5000'],
    ])
    const { documents, hot, words } = await index.stats()
    expect(rows[1]).toMatchObject({
      documents: String(documents),
      hot: String(hot),
      words: String(words),
      filling: false,
      filled: '5000',
      errors: 0,
      last_error_at: null,
    })
    await expect(client.query('select from howdah.search_query_log')).rejects.toThrow('permission')
  } finally {
    await client.query('rollback')
    client.release()
  }
  await other.close()
})

test('the view goes on where tables are missing, and says what went wrong', async () => {
  const client = await pool.connect()
  try {
    await client.query('begin')
    const { rows } = await client.query<{ name: string }>(
      `select c.relname as name from pg_class c where c.relname like 'search_hot_%' and c.relkind = 'r'
       and c.relname like '%' || (select id from howdah.search_index where name = 'another') || '_1'`,
    )
    await client.query(`drop table howdah.${rows[0]?.name} cascade`)
    await client.query(`insert into doc values (-1, 'lost')`)
    const [another, one] = await view(client)
    expect(another).toMatchObject({ documents: null, errors: 1 })
    expect(another?.['last_error_at']).toBeInstanceOf(Date)
    expect(one).toMatchObject({ documents: '5001', errors: 0 })
  } finally {
    await client.query('rollback')
    client.release()
  }
})

test('an index is a source of metrics', async () => {
  const measured = metrics([index], { operations: false })
  const text = await measured.text()
  measured.close()
  const named = 'index="it\'s \\"one\\""'
  expect(text).toContain(`howdah_search_documents{${named}} 5000`)
  expect(text).toMatch(/howdah_search_size_bytes\{.*part="postings"\} [1-9]/)
  expect(text).toContain(`howdah_search_log_dropped_searches_total{${named}} 0`)
})
