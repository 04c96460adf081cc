/**
 * What a search can do besides finding and counting, for tenants: the same rows are once alone in a table and once beside those of others, and everything must be the
 * same, digit by digit.
 */
import { PGlite } from '@electric-sql/pglite'
import { vector as pgvector } from '@electric-sql/pglite-pgvector'
import { Database } from '@howdah/core'
import { SearchIndex, type SearchIndexOptions, type SearchOptions } from '@howdah/search'
import { type TestDatabase, testDatabase } from '@howdah/testkit'
import type { Pool } from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { COLUMNS, insertNotes, notesOf, OPTIONS, wordsOf } from './tenant-data.js'

const TENANTS = [
  ['large', 800],
  ['tiny', 40],
] as const

let database: TestDatabase
let pool: Pool
const opened: SearchIndex[] = []

beforeAll(async () => {
  database = await testDatabase()
  pool = database.pool()
  const notes = TENANTS.flatMap(([tenant, count], at) => notesOf(tenant, 10_000 * (at + 1), count))
  // Others' rows come before, between and after, so that postings and hot rows are of all of them.
  const parts = [notesOf('intruder', 1, 4000), notes, notesOf('other', 50_000, 1500)]
  for (const table of ['alone', 'shared']) {
    await pool.query(`create table ${table} ${COLUMNS}`)
    for (const part of table === 'shared' ? parts : [notes]) {
      await insertNotes(pool, table, part.slice(0, -20))
    }
    const index = indexOf(table)
    await index.attach()
    for (const part of table === 'shared' ? parts : [notes]) {
      await insertNotes(pool, table, part.slice(-20))
    }
    await pool.query(`delete from ${table} where id % 13 = 5`)
  }
  await indexOf('shared').maintain()
}, 120_000)
afterAll(async () => {
  for (const index of opened) await index.close()
  await database.close()
})

function indexOf(table: string, options: Partial<SearchIndexOptions> = {}): SearchIndex {
  const index = new SearchIndex(table, { ...OPTIONS, pool, table, ...options })
  opened.push(index)
  return index
}

function both(options: Partial<SearchIndexOptions> = {}): readonly [SearchIndex, SearchIndex] {
  return [indexOf('alone', options), indexOf('shared', options)]
}

/** All pages of a search, one after another. */
async function pagesOf(index: SearchIndex, query: string, options: SearchOptions) {
  const pages = []
  for (let after: string | undefined; ; ) {
    const { next, ...page } = await index.search(query, { ...options, limit: 7, after })
    pages.push(page)
    if (next === undefined || pages.length > 20) return pages
    after = next
  }
}

describe.each(TENANTS)('of the %s tenant', (tenant) => {
  const [first = '', second = '', third = ''] = wordsOf(tenant)

  test.each<[string, SearchOptions]>([
    [`${first} ${second} ${third}`, {}],
    [`${first} ${second}`, { filters: { category: ['red', 'intrude only'] } }],
    [`"${first} ${second}" OR ${third}`, {}],
    [`${first} -${second}`, { sort: ['price'] }],
    ['', { facets: ['category'] }],
    [`-${first}`, {}],
  ])('pages of %s are those of its rows', async (query, options) => {
    const [alone, shared] = both()
    const expected = await pagesOf(alone, query, { ...options, tenant })
    expect(await pagesOf(shared, query, { ...options, tenant })).toEqual(expected)
    expect(expected.flatMap(({ hits }) => hits).length).toBeGreaterThan(0)
  })

  test('a cursor is of one tenant', async () => {
    const shared = indexOf('shared')
    const { next } = await shared.search(first, { tenant, limit: 1 })
    expect(next).toBeDefined()
    await expect(shared.search(first, { tenant: 'other', after: next })).rejects.toMatchObject({
      code: 'SEARCH_INVALID_CURSOR',
    })
  })

  test('explain() tells nothing of others', async () => {
    const [alone, shared] = both()
    const query = `${first} ${second} ${third.slice(0, 3)}* -nothing`
    const { hits } = await alone.search(query, { tenant })
    for (const { key, score } of hits.slice(0, 3)) {
      const told = await shared.explain(query, key, { tenant })
      expect(told).toEqual(await alone.explain(query, key, { tenant }))
      expect(told.score).toBe(score)
    }
    for (const options of [{ tenant }, { tenant: 'nobody' }]) {
      const { indexed, matches, documents } = await shared.explain(query, 7, options)
      expect([indexed, matches]).toEqual([false, false])
      expect(documents).toBe((await shared.search('', options)).total)
    }
    await expect(shared.explain(query, 7)).rejects.toMatchObject({ code: 'SEARCH_INVALID_QUERY' })
  })

  test('moreLikeThis() finds and knows its rows alone', async () => {
    const [alone, shared] = both()
    const { hits } = await alone.search(first, { tenant })
    const [{ key } = { key: '' }] = hits
    for (const like of [key, { text: `${first} ${second} ${third} ${wordsOf('intruder')[170]}` }]) {
      const options = { tenant, facets: ['category'] }
      const expected = await alone.moreLikeThis(like, options)
      const found = await shared.moreLikeThis(like, options)
      // A cursor is of the index that it was made by.
      expect({ ...found, next: '' }).toEqual({ ...expected, next: '' })
      expect(found.hits.length).toBeGreaterThan(0)
    }
    for (const options of [{ tenant }, { tenant: 'nobody' }]) {
      await expect(shared.moreLikeThis(7, options)).rejects.toMatchObject({
        code: 'SEARCH_UNKNOWN_KEY',
      })
    }
    expect((await shared.moreLikeThis({ text: first }, { tenant: 'nobody' })).total).toBe(0)
    await expect(shared.moreLikeThis(key)).rejects.toMatchObject({ code: 'SEARCH_INVALID_QUERY' })
  })

  test('rules pin and hide its rows alone', async () => {
    const [alone, shared] = both()
    const { hits } = await alone.search(first, { tenant, limit: 3 })
    const keys = hits.map(({ key }) => key)
    const rule = { pinned: [keys[2] ?? '', '7', '50009'], hidden: [keys[0] ?? '', '8'] }
    for (const index of [alone, shared]) await index.rules.setResults([{ query: first, ...rule }])
    const [expected, found] = [
      await pagesOf(alone, first, { tenant }),
      await pagesOf(shared, first, { tenant }),
    ]
    expect(found).toEqual(expected)
    expect(found[0]?.hits[0]?.key).toBe(keys[2])
    for (const index of [alone, shared]) await index.rules.setResults([])
  })
})

test('a search is noted with its tenant', async () => {
  const index = indexOf('shared', { log: 'plain' })
  for (const tenant of ['tiny', 'nobody']) await index.search('noted word', { tenant })
  await index.queries.top()
  const { rows } = await pool.query(
    `select tenant from howdah.search_query_log where query = 'noted word' order by tenant`,
  )
  expect(rows.map(({ tenant }) => tenant)).toEqual(['\x010=nobody', '\x010=tiny'])
})

test('SQL and other engines refuse tenants', async () => {
  await expect(pool.query(`select * from howdah.search('shared', 'x')`)).rejects.toMatchObject({
    code: '0A000',
    message: expect.stringContaining('tenant'),
  })
  for (const engine of ['tsvector', 'pg_textsearch', 'pg_search'] as const) {
    expect(() => indexOf('shared', { engine })).toThrow(
      expect.objectContaining({ code: 'SEARCH_UNSUPPORTED' }),
    )
  }
})

test('a hybrid search ranks its rows alone, by words and by vectors', async () => {
  const pglite = new PGlite({ extensions: { vector: pgvector } })
  await pglite.waitReady
  const db = Database.from(pglite)
  await pglite.query('create extension vector')
  for (const table of ['alone', 'shared']) {
    await pglite.query(
      `create table ${table} (id int primary key, tenant text, body text, v vector(2))`,
    )
    await pglite.query(`insert into ${table}
      select g, 'large', 'word' || g % 9, array[g % 17, g % 13]::vector(2) from generate_series(1, 600) g
      union all select g, 'tiny', 'word' || g % 5, array[g % 7, g % 3]::vector(2) from generate_series(1001, 1030) g`)
  }
  await pglite.query(`insert into shared
    select g, 'intruder', 'word' || g % 3, array[1, 1]::vector(2) from generate_series(2001, 6200) g`)
  const indexes = ['alone', 'shared'].map(
    (table) =>
      new SearchIndex(table, {
        pool: db,
        table,
        key: 'id',
        fields: { body: {} },
        filters: ['id'],
        tenant: 'tenant',
      }),
  )
  const [alone, shared] = indexes
  if (alone === undefined || shared === undefined) throw new Error('no index')
  for (const index of indexes) await index.attach()
  const hybrid = { column: 'v', vector: [1, 1], candidates: 20 }
  for (const tenant of ['large', 'tiny']) {
    for (const query of ['word1 word2', 'word1 -word2', '"word1"', '']) {
      for (const filters of [{}, { id: { gte: 5 } }]) {
        const options = { tenant, hybrid, filters }
        const found = await shared.search(query, options)
        const expected = await alone.search(query, options)
        expect({ ...found, next: '' }).toEqual({ ...expected, next: '' })
        expect(found.hits.length).toBeGreaterThan(0)
        expect(new Set(found.hits.map(({ row }) => row['tenant']))).toEqual(new Set([tenant]))
        expect(found.hits.some(({ ranks }) => ranks?.words !== undefined)).toBe(query !== '')
      }
    }
  }
  for (const index of indexes) await index.close()
  await db.close()
  await pglite.close()
}, 60_000)
