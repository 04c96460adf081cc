import { Database } from '@howdah/core'
import { type SearchErrorCode, SearchIndex, type SearchIndexOptions } from '@howdah/search'
import { type TestDatabase, testDatabase } from '@howdah/testkit'
import type { Pool } from 'pg'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { QueryLog } from '../src/log/query-log.js'

let database: TestDatabase
let pool: Pool
const opened: SearchIndex[] = []

beforeAll(async () => {
  database = await testDatabase()
  pool = database.pool()
  await pool.query('create table song (id int primary key, title text)')
  await pool.query(`insert into song select n, 'music ' || n from generate_series(1, 30) n`)
  await open({}).attach()
})
afterEach(async () => {
  await Promise.all(opened.splice(0).map((index) => index.close()))
  await pool.query('truncate howdah.search_query_log')
})
afterAll(() => database.close())

function open(options: Partial<SearchIndexOptions>): SearchIndex {
  const index = new SearchIndex('songs', {
    pool,
    table: 'song',
    key: 'id',
    fields: { title: {} },
    ...options,
  })
  opened.push(index)
  return index
}

const logged = async () =>
  (await pool.query('select query, hits::int, corrected from howdah.search_query_log order by at'))
    .rows

test('nothing is logged unless it is asked for', async () => {
  const index = open({})
  await index.search('music')
  await index.close()
  expect(await logged()).toEqual([])
  expect((await open({}).stats()).log).toBeUndefined()
  expect(await open({}).queries.top()).toEqual([])
})

test('the log says what is searched for, what finds nothing, and what takes long', async () => {
  const index = open({ log: 'plain' })
  for (const query of ['music', ' MUSIC  ', 'Film', 'film', 'musci', 'book']) {
    await index.search(query)
  }
  const page = await index.search('music', { limit: 5 })
  await index.search('music', { limit: 5, after: page.next })
  await index.search('music', { offset: 5 })
  await index.search('')
  await index.search(' * ')
  await index.explain('music', 1)
  await expect(index.search('x', { limit: -1 })).rejects.toThrow()
  const top = await index.queries.top()
  expect(
    top.map(({ query, searches, zeroHits, corrected, hits }) => [
      query,
      searches,
      zeroHits,
      corrected,
      hits,
    ]),
  ).toEqual([
    ['music', 3, 0, 0, 30],
    ['film', 2, 2, 0, 0],
    ['book', 1, 1, 0, 0],
    ['musci', 1, 0, 1, 30],
  ])
  expect(Math.abs((top[0]?.lastAt.getTime() ?? 0) - Date.now())).toBeLessThan(60_000)
  expect((await index.queries.zeroHits()).map(({ query }) => query)).toEqual(['film', 'book'])
  await pool.query(`update howdah.search_query_log set ms = 5000 where query = 'book'`)
  const [slowest, ...others] = await index.queries.slow({ limit: 2 })
  expect([slowest?.query, slowest?.p95Ms, others.length]).toEqual(['book', 5000, 1])
  await pool.query(
    `update howdah.search_query_log set at = now() - interval '2 days' where query = 'film'`,
  )
  expect((await index.queries.top({ within: '1d' })).map(({ query }) => query)).not.toContain(
    'film',
  )
  expect((await index.stats()).log).toEqual({ written: 7, dropped: 0, waiting: 0 })
})

test('a search in a transaction is logged whatever becomes of it', async () => {
  const index = open({ log: 'plain' })
  const client = await pool.connect()
  await client.query('begin')
  await index.search('music', { client })
  await client.query('rollback')
  client.release()
  await index.close()
  expect(await logged()).toEqual([{ query: 'music', hits: 30, corrected: false }])
})

test('a hashed log tells equal queries from others and holds no text', async () => {
  const one = open({ log: 'hashed' })
  const two = open({ log: 'hashed' })
  await Promise.all([one.search('Music'), two.search('music '), two.search('film')])
  await one.queries.top()
  const top = await two.queries.top()
  expect(top.map(({ searches }) => searches)).toEqual([2, 1])
  for (const { query } of top) expect(query).toMatch(/^#[\w-]{43}$/)
  const { rows } = await pool.query<{ all: string }>(
    'select string_agg(l::text, $1) as all from howdah.search_query_log l',
    [' '],
  )
  expect(rows[0]?.all).not.toMatch(/music|film/i)
  const secret = open({ log: { text: 'hashed', secret: 'a secret of the application' } })
  await secret.search('music')
  expect((await secret.queries.top()).map(({ searches }) => searches)).toEqual([2, 1, 1])
})

test('close() writes what waits, and refuses to wait for a database that is gone', async () => {
  const index = open({ log: 'plain' })
  await Promise.all(Array.from({ length: 50 }, (_, n) => index.search(`music ${n}`)))
  await index.close()
  expect(await logged()).toHaveLength(50)
  await pool.query('alter table howdah.search_query_log rename to lost')
  const failing = open({ log: 'plain' })
  expect((await failing.search('music')).total).toBe(30)
  await failing.close()
  await pool.query('alter table howdah.lost rename to search_query_log')
  expect(await logged()).toHaveLength(50)
})

test('a log that cannot be written costs bounded memory and no search', async () => {
  const client = await pool.connect()
  const index = open({ log: 'plain' })
  const options = { text: 'plain', secret: undefined, sample: 1, keepMs: 60_000 } as const
  const { rows } = await pool.query<{ id: number }>('select id from howdah.search_index')
  const log = new QueryLog(Database.from(pool), options, async () => rows[0]?.id ?? 0)
  try {
    await client.query('begin')
    await client.query('lock table howdah.search_query_log in access exclusive mode')
    const note = () => log.note({ query: 'x', hits: 1, ms: 1, corrected: false, tenant: '' })
    for (let n = 0; n < 1000; n++) note()
    // A batch is under way then, and waits for the lock.
    await expect.poll(() => log.stats().waiting).toBe(0)
    for (let n = 0; n < 50_000; n++) note()
    expect(log.stats()).toEqual({ written: 0, dropped: 40_000, waiting: 10_000 })
    expect((await index.search('music')).total).toBe(30)
  } finally {
    await client.query('rollback')
    client.release()
  }
  await log.close()
  expect(log.stats()).toEqual({ written: 11_000, dropped: 40_000, waiting: 0 })
  await index.close()
  const counts = await pool.query('select count(*)::int as n from howdah.search_query_log')
  expect(counts.rows).toEqual([{ n: 11_001 }])
})

test('what was kept long enough goes, a share is kept on request, and detach() takes all', async () => {
  const index = open({ log: { text: 'plain', keep: '1h', sample: 0.5 } })
  await Promise.all(Array.from({ length: 200 }, () => index.search('music')))
  const [music] = await index.queries.top()
  expect(music?.searches).toBeGreaterThan(50)
  expect(music?.searches).toBeLessThan(150)
  await pool.query(`insert into howdah.search_query_log (index_id, at, tenant, query, hits, ms, corrected)
    select (select id from howdah.search_index), now() - interval '2 hours', '', 'old', 1, 1, false from generate_series(1, 6000)`)
  await index.maintain()
  expect((await index.queries.top()).map(({ query }) => query)).toEqual(['music'])
  await index.detach()
  expect(await logged()).toEqual([])
  await expect(index.queries.top()).rejects.toMatchObject({ code: 'SEARCH_NOT_ATTACHED' })
  await open({}).attach()
})

test('hostile queries are logged as what PostgreSQL can hold', async () => {
  const index = open({ log: 'plain' })
  const queries = [
    'a\0b',
    '\ud800x',
    "'; drop table song; --",
    '{a,"b"}',
    'x'.repeat(10_000),
    '__proto__',
    'NULL',
  ]
  for (const query of queries) await index.search(query)
  const { log } = await index.stats()
  await index.close()
  expect(log?.dropped).toBe(0)
  expect((await logged()).map(({ query }) => query)).toEqual([
    'a b',
    'x',
    "'; drop table song; --",
    '{a,"b"}',
    'x'.repeat(500),
    '__proto__',
    'null',
  ])
})

test('what is no log is refused', async () => {
  const refused = (log: unknown) =>
    expect(() => open({ log: log as never })).toThrow(
      expect.objectContaining({ code: 'SEARCH_INVALID_OPTION' satisfies SearchErrorCode }),
    )
  for (const log of [true, 'all', null, {}, { text: 'raw' }]) refused(log)
  refused({ text: 'plain', sample: 0 })
  refused({ text: 'plain', sample: 2 })
  refused({ text: 'plain', keep: 'long' })
  refused({ text: 'plain', keep: 5 })
  refused({ text: 'plain', secret: 'a secret of the application' })
  refused({ text: 'hashed', secret: 'short' })
  const index = open({ log: 'plain' })
  const code = 'SEARCH_INVALID_QUERY'
  await expect(index.queries.top({ limit: 0 })).rejects.toMatchObject({ code })
  await expect(index.queries.slow({ within: 'x' as never })).rejects.toMatchObject({ code })
})
