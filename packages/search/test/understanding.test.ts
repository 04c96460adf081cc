import { SearchIndex, type SearchOptions } from '@howdah/search'
import { type TestDatabase, testDatabase } from '@howdah/testkit'
import type { Pool } from 'pg'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'

let database: TestDatabase
let pool: Pool
let offers: SearchIndex

beforeAll(async () => {
  database = await testDatabase()
  pool = database.pool()
})
beforeEach(async () => {
  await pool.query('drop table if exists offer')
  await pool.query('create table offer (id int primary key, title text, body text, kind text)')
  await pool.query(`insert into offer values
    (1, 'Television for free', 'A television and a stand', 'video'),
    (2, 'Music', 'Three months of music, streaming included', 'audio'),
    (3, 'Streaming', 'Series and films for the small screen', 'video'),
    (4, 'Bank account', 'Free of charge', 'money')`)
  offers = new SearchIndex('offers', {
    pool,
    table: 'offer',
    key: 'id',
    fields: { title: { weight: 2 }, body: {} },
    facets: ['kind'],
  })
  await offers.detach()
  await offers.attach()
})
afterAll(() => database.close())

const keys = async (query: string, options?: SearchOptions) =>
  (await offers.search(query, options)).hits.map((hit) => hit.key)
const suggested = async (typed: string) => (await offers.suggest(typed)).map(({ text }) => text)

test('mistyped words find what was meant, and the result says so', async () => {
  const result = await offers.search('telvision OR muisc', { highlight: { fields: ['title'] } })
  expect(result.hits.map((hit) => hit.highlights?.['title']).sort()).toEqual([
    '<mark>Music</mark>',
    '<mark>Television</mark> for free',
  ])
  expect(result.understood).toEqual([
    { typed: 'telvision', searched: [{ word: 'television', origin: 'correction' }] },
    { typed: 'muisc', searched: [{ word: 'music', origin: 'correction' }] },
  ])
  expect(result.didYouMean).toBe('television OR music')
  expect(await keys('telvision', { fuzzy: false })).toEqual([])
  expect(await keys('telvision free', { mode: 'all' })).toEqual(['1'])
})

test('a field before a colon is the only one that counts', async () => {
  expect(await keys('title:streaming')).toEqual(['3'])
  expect((await keys('streaming')).sort()).toEqual(['2', '3'])
  expect((await keys('-title:free')).sort()).toEqual(['2', '3', '4'])
})

test('fields of equal weight are told apart, up to four', async () => {
  const fields = { title: {}, body: {}, kind: {} }
  const equal = new SearchIndex('equal', { pool, table: 'offer', key: 'id', fields })
  await equal.attach()
  const found = async (query: string) =>
    (await equal.search(query)).hits.map(({ key }) => key).sort()
  expect(await found('title:streaming')).toEqual(['3'])
  expect(await found('body:streaming')).toEqual(['2'])
  expect(await found('streaming -body:streaming')).toEqual(['3'])
  expect(await found('kind:video body:"small screen"')).toEqual(['3'])
  await equal.detach()
  await equal.close()
})

test('the last word is completed while it is typed', async () => {
  expect((await keys('str', { prefix: true })).sort()).toEqual(['2', '3'])
  expect(await keys('str')).toEqual([])
  expect(await suggested('free str')).toEqual(['free streaming'])
  expect(await suggested('a')).toEqual(['account'])
})

test('synonyms, stop words, pinned and hidden results apply to the next search', async () => {
  await offers.rules.setSynonyms([['tv', 'television', 'small screen']])
  expect((await keys('tv')).sort()).toEqual(['1', '3'])
  expect(await keys('tv series', { mode: 'all' })).toEqual(['3'])
  await offers.rules.setStopWords(['free'])
  expect(await keys('free music')).toEqual(['2'])
  await offers.rules.setResults([{ query: 'music', pinned: ['4', '3'] }, { hidden: ['1'] }])
  const pinned = await offers.search('Music ', { facets: ['kind'] })
  expect(pinned.hits.map((hit) => hit.key)).toEqual(['4', '3', '2'])
  expect([pinned.total, pinned.facets['kind']?.length]).toEqual([3, 3])
  expect(await keys('music', { filters: { kind: 'audio' } })).toEqual(['2'])
  expect(await keys('')).toEqual(['2', '3', '4'])
})

test('the vocabulary follows the table, once what was noted is added up', async () => {
  await pool.query(`insert into offer values (5, 'Zebra', null, null)`)
  await offers.maintain()
  expect(await suggested('zeb')).toEqual(['zebra'])
  await pool.query(`update offer set title = 'Zeppelin' where id = 5`)
  const client = await pool.connect()
  await client.query(`begin`)
  await client.query(`insert into offer values (6, 'Zephyr', '', '')`)
  await client.query('rollback')
  client.release()
  await offers.maintain()
  expect(await suggested('ze')).toEqual(['zeppelin'])
  await pool.query('delete from offer where id = 5')
  await pool.query(`update offer set body = 'Musical box' where id = 2`)
  await offers.maintain()
  expect(await suggested('ze')).toEqual([])
  expect(await suggested('mus')).toEqual(['music', 'musical'])
  await pool.query('truncate offer')
  await pool.query(`insert into offer values (7, 'Zoo', '', '')`)
  await offers.maintain()
  expect(await suggested('mus')).toEqual([])
  expect(await suggested('zo')).toEqual(['zoo'])
  await offers.rebuild()
  expect(await suggested('zo')).toEqual(['zoo'])
  expect((await offers.stats()).errors).toEqual([])
})

test('detach() leaves nothing of the vocabulary and the rules', async () => {
  await offers.rules.setStopWords(['x'])
  await pool.query(`insert into offer values (5, 'Zebra', null, null)`)
  await offers.detach()
  for (const table of ['word', 'error_word', 'word_log', 'vocabulary', 'rules']) {
    const { rows } = await pool.query(`select count(*)::int as n from howdah.search_${table}`)
    expect(rows, table).toEqual([{ n: 0 }])
  }
  await expect(offers.rules.setStopWords([])).rejects.toMatchObject({ code: 'SEARCH_NOT_ATTACHED' })
})

test('search() on a transaction sees its own words', async () => {
  const client = await pool.connect()
  try {
    await client.query('begin')
    await client.query(`insert into offer values (5, 'Zebra', null, null)`)
    expect((await offers.search('zebra', { client, highlight: true })).total).toBe(1)
    expect(await offers.suggest('str', { client })).toHaveLength(1)
    await client.query('rollback')
  } finally {
    client.release()
  }
})

test('what does not fit is refused', async () => {
  const refused = (call: Promise<unknown>, code: string) =>
    expect(call).rejects.toMatchObject({ code })
  await refused(offers.search('x', { fuzzy: 1 as never }), 'SEARCH_INVALID_QUERY')
  await refused(offers.search('x', { prefix: 'last' as never }), 'SEARCH_INVALID_QUERY')
  await refused(offers.search('x', { highlight: { fields: ['kind'] } }), 'SEARCH_INVALID_QUERY')
  await refused(offers.suggest(5 as never), 'SEARCH_INVALID_QUERY')
  await refused(offers.rules.setSynonyms([['one']]), 'SEARCH_INVALID_RULE')
})
