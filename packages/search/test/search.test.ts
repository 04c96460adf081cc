import { SearchIndex, type SearchIndexOptions, type SearchOptions } from '@howdah/search'
import { type TestDatabase, testDatabase } from '@howdah/testkit'
import fc from 'fast-check'
import type { Pool } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'

let database: TestDatabase
let pool: Pool
let offers: SearchIndex

const definition = (): SearchIndexOptions => ({
  pool,
  table: 'public.offers',
  key: 'id',
  fields: { title: { weight: 2 }, body: {} },
  facets: ['category', 'tags', 'paid'],
  filters: ['price'],
  sort: [{ column: 'created_at', order: 'desc' }, 'price'],
})

beforeAll(async () => {
  database = await testDatabase()
  pool = database.pool()
  await pool.query(`create table offers (
    id bigint primary key, title text, body text, category text, tags text[], paid boolean,
    price int, created_at timestamptz
  )`)
  await pool.query(`insert into offers values
    (1, 'Free music trial', 'Three months of music, free for students', 'audio', '{new,music}', false, 0, '2026-01-01'),
    (2, 'Running shoes', 'A discount on shoes for runners', 'sport', '{new}', true, 90, '2026-01-02'),
    (3, 'Bank account', 'A free bank account, and music to your ears', 'money', '{}', false, 0, '2026-01-03'),
    (4, 'Streaming', 'Video without end. A trial, free', 'video', '{new,video}', true, 12, '2026-01-04'),
    (9007199254740993, 'A student bank', null, null, null, null, null, '2026-01-05')`)
  offers = new SearchIndex('offers', definition())
  await offers.attach()
})
afterAll(() => database.close())

const keys = async (query: string, options?: SearchOptions) =>
  (await offers.search(query, options)).hits.map((hit) => hit.key)

test('search() ranks by BM25 and answers live rows', async () => {
  const { total, hits } = await offers.search('music')
  expect(total).toBe(2)
  expect(hits.map((hit) => hit.key)).toEqual(['1', '3'])
  expect(hits[0]?.score).toBeGreaterThan(hits[1]?.score ?? Number.NaN)
  expect(hits[0]?.row).toMatchObject({ id: 1, title: 'Free music trial', tags: ['new', 'music'] })
})

test('search() finds any of the words by default, and all of them on request', async () => {
  expect((await keys('music shoes')).sort()).toEqual(['1', '2', '3'])
  expect(await keys('free music trial', { mode: 'all' })).toEqual(['1'])
  expect(await keys('free music OR shoes', { mode: 'all' })).toHaveLength(3)
})

test('search() stems, and reads phrases, exclusions and prefixes', async () => {
  expect(await keys('runner')).toEqual(['2'])
  expect(await keys('"bank account"')).toEqual(['3'])
  expect((await keys('free -music')).sort()).toEqual(['4'])
  expect((await keys('free -"bank account"')).sort()).toEqual(['1', '4'])
  expect((await keys('stu*')).sort()).toEqual(['1', '9007199254740993'])
  expect((await keys('-free')).sort()).toEqual(['2', '9007199254740993'])
})

test('an empty query lists everything in the order of the index', async () => {
  const all = ['9007199254740993', '4', '3', '2', '1']
  expect(await keys('')).toEqual(all)
  expect(await keys(' "" - * ')).toEqual(all)
  expect((await offers.search('')).total).toBe(5)
})

test('a query of stop words alone finds nothing', async () => {
  expect(await keys('the')).toEqual([])
})

test('filters hold for hits, total and facets', async () => {
  const result = await offers.search('free', {
    filters: { category: ['audio', 'video'] },
    facets: ['category', 'tags', 'paid'],
  })
  expect(result.total).toBe(2)
  expect(result.facets).toEqual({
    // Its own filter is left out.
    category: [
      { value: 'audio', count: 1 },
      { value: 'money', count: 1 },
      { value: 'video', count: 1 },
    ],
    tags: [
      { value: 'new', count: 2 },
      { value: 'music', count: 1 },
      { value: 'video', count: 1 },
    ],
    paid: [
      { value: false, count: 1 },
      { value: true, count: 1 },
    ],
  })
  expect(await keys('', { filters: { price: 0 } })).toEqual(['3', '1'])
  expect(await keys('', { filters: { price: [0, 90], paid: false } })).toEqual(['3', '1'])
  expect(await keys('', { filters: { category: null } })).toEqual(['9007199254740993'])
  expect(await keys('', { filters: { category: [null, 'sport'] } })).toHaveLength(2)
  expect(await keys('', { filters: { tags: ['video', 'music'] } })).toEqual(['4', '1'])
  expect(await keys('', { filters: { category: [] } })).toEqual([])
  expect(await keys('', { filters: { category: "'; drop table offers; --" } })).toEqual([])
})

test('limit, offset and sort page through the whole result', async () => {
  expect(await keys('', { limit: 2, offset: 1 })).toEqual(['4', '3'])
  expect((await offers.search('', { limit: 0 })).total).toBe(5)
  expect(await keys('free', { sort: ['price', { column: 'created_at', order: 'desc' }] })).toEqual([
    '3',
    '1',
    '4',
  ])
})

test('no query raises, whatever it holds', async () => {
  const piece = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom(
      '"',
      "'",
      '\\',
      '\0',
      '\ud800',
      '&',
      '|',
      '!',
      '<->',
      ':*',
      '*',
      '-',
      '(',
      ')',
      'OR',
      'free',
      "c++ & 'foo",
      "\\'",
      'http://a.b/c?d=e',
      'foo-bar*',
      '-"',
      ':A',
      '<0>',
      '𝕗𝕣𝕖𝕖',
      '１',
    ),
  )
  const query = fc.array(piece, { maxLength: 20 }).map((pieces) => pieces.join(' '))
  await fc.assert(
    fc.asyncProperty(query, fc.constantFrom('any' as const, 'all' as const), async (q, mode) => {
      await offers.search(q, { mode })
      await offers.search(`"${q}`, { mode })
    }),
    { numRuns: 150 },
  )
})

test('a word with a quote in it is found', async () => {
  await pool.query(`insert into offers (id, body) values (50, 'see example.com/it''s/here')`)
  expect(await keys("example.com/it's/here", { mode: 'all' })).toEqual(['50'])
  await pool.query('delete from offers where id = 50')
})

test('of a long query the first 400 words and 4096 characters are read', async () => {
  expect(await keys(`${'nothing '.repeat(399)}shoes`)).toEqual(['2'])
  expect(await keys(`${'nothing '.repeat(400)}shoes`)).toEqual([])
  expect(await keys(`${' '.repeat(4090)} shoes`)).toEqual(['2'])
  expect(await keys(`${' '.repeat(4096)} shoes`)).toHaveLength(5)
})

test('a query of 100 kB is answered', async () => {
  for (const word of ['free ', 'x', 'a.b,', "'", '"free" ', '-free ', 'free* ', '('.repeat(7)]) {
    await offers.search(word.repeat(100_000 / word.length))
  }
})

test('what does not fit the index is refused with a code', async () => {
  const refused = async (query: unknown, options?: object) =>
    expect(offers.search(query as string, options)).rejects.toMatchObject({
      name: 'HowdahError',
      code: 'SEARCH_INVALID_QUERY',
    })
  await refused(undefined)
  await refused('', { limit: -1 })
  await refused('', { limit: 1001 })
  await refused('', { limit: 1.5 })
  await refused('', { offset: '1' })
  await refused('', { mode: 'some' })
  await refused('', { facets: ['body'] })
  await refused('', { facets: 'category' })
  await refused('', { filters: { title: 'x' } })
  await refused('', { filters: { constructor: 'x' } })
  await refused('', { filters: { category: {} } })
  await refused('', { filters: { category: 'a\0' } })
  await refused('', { filters: { price: 'dear' } })
  await refused('', { filters: { price: 1e20 } })
  await refused('', { filters: [] })
  await refused('', { sort: ['title'] })
  await refused('', { sort: [{ column: 'price', order: 'up; drop' }] })
})
