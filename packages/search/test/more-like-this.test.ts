import { SearchIndex } from '@howdah/search'
import { type TestDatabase, testDatabase } from '@howdah/testkit'
import fc from 'fast-check'
import type { Pool } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Fields, random, zipfWord } from './brute-force.js'

const WEIGHTS = { title: 2, body: 1 }

let database: TestDatabase
let pool: Pool
let books: SearchIndex
let rows: SearchIndex
const model = new Map<string, Fields>()
const next = random(3)

beforeAll(async () => {
  database = await testDatabase()
  pool = database.pool()
  await pool.query('create table book (isbn text primary key, title text, body text, genre text)')
  await pool.query(`insert into book values
    ('a', 'Whales', 'The whale and the sea, a hunt for a white whale', 'novel'),
    ('b', 'Ships', 'Ships that hunt the whale at sea', 'novel'),
    ('c', 'Harpoons', 'How a harpoon is made for a hunt', 'craft'),
    ('d', 'The sea', 'Waves, salt and the sea', 'nature'),
    ('e', 'Bread', 'Flour, water and salt', 'craft'),
    ('f', 'Nothing', 'the and of', null),
    ('g', 'Quaternions', null, null)`)
  await pool.query('create table doc (id int primary key, title text, body text, kind int)')
  await insert(1, 3000)
  const fields = { title: { weight: WEIGHTS.title }, body: {} }
  books = new SearchIndex('books', {
    pool,
    table: 'book',
    key: 'isbn',
    fields,
    facets: ['genre'],
  })
  rows = new SearchIndex('rows', {
    pool,
    table: 'doc',
    key: 'id',
    fields,
    filters: ['kind'],
    language: 'simple',
  })
  await books.attach()
  await rows.attach()
  await rows.maintain()
  // Some are hot, some gone, some in two versions.
  await insert(3001, 200)
  await pool.query('delete from doc where id % 17 = 0')
  for (const key of model.keys()) if (Number(key) % 17 === 0) model.delete(key)
  await pool.query("update doc set title = title || ' w1' where id % 19 = 0")
  for (const [key, fields] of model) {
    if (Number(key) % 19 !== 0) continue
    model.set(key, { ...fields, title: `${fields['title']} w1` })
  }
})
afterAll(async () => {
  await Promise.all([books, rows].map((index) => index.close()))
  await database.close()
})

async function insert(from: number, count: number): Promise<void> {
  const text = (most: number) =>
    Array.from({ length: Math.floor(next() * most) }, () => zipfWord(next, 2000)).join(' ')
  const made = Array.from({ length: count }, (_, at) => {
    const fields = { title: text(5), body: text(40) }
    model.set(String(from + at), fields)
    return { id: from + at, ...fields, kind: (from + at) % 3 }
  })
  await pool.query('insert into doc select * from json_populate_recordset(null::doc, $1)', [
    JSON.stringify(made),
  ])
}

const keysOf = ({ hits }: { hits: readonly { key: string }[] }) => hits.map(({ key }) => key)

test('moreLikeThis() finds rows that share telling words, without the row itself', async () => {
  const { total, hits } = await books.moreLikeThis('a')
  expect(hits[0]?.key).toBe('b')
  expect(keysOf({ hits }).toSorted()).toEqual(['b', 'c', 'd'])
  expect(total).toBe(3)
  expect(hits[0]?.row).toMatchObject({ title: 'Ships' })
})

test('moreLikeThis() takes filters, facets, pages and highlights as a search does', async () => {
  const { total, hits, facets } = await books.moreLikeThis('a', {
    filters: { genre: ['novel', 'craft'] },
    facets: ['genre'],
    highlight: { fields: ['body'] },
  })
  expect(total).toBe(2)
  expect(hits[0]?.highlights).toEqual({
    body: 'Ships that <mark>hunt</mark> the <mark>whale</mark> at <mark>sea</mark>',
  })
  expect(facets['genre']).toEqual([
    { value: 'craft', count: 1 },
    // What a facet is filtered on itself leaves its counts as they are.
    { value: 'nature', count: 1 },
    { value: 'novel', count: 1 },
  ])
  const all = keysOf(await books.moreLikeThis('a'))
  const pages = [0, 1, 2].map((offset) => books.moreLikeThis('a', { offset, limit: 1 }))
  expect((await Promise.all(pages)).flatMap(keysOf)).toEqual(all)
})

test('moreLikeThis() takes words of some fields only, as few as asked, and as frequent as asked', async () => {
  // Nothing but the title's word, which only another row's body has.
  expect(keysOf(await books.moreLikeThis('a', { fields: ['title'] }))).toEqual(['b'])
  expect(keysOf(await books.moreLikeThis('a', { maxWords: 1 }))).toEqual(['b'])
  expect(keysOf(await books.moreLikeThis('a', { minDocuments: 2 })).toSorted()).toEqual([
    'b',
    'c',
    'd',
  ])
  expect((await books.moreLikeThis('a', { minDocuments: 3 })).total).toBe(0)
  expect(keysOf(await books.moreLikeThis('a', { minimumMatch: 3 }))).toEqual(['b'])
})

test('moreLikeThis() finds nothing for a row without words, or with words of its own only', async () => {
  expect(await books.moreLikeThis('f')).toMatchObject({ total: 0, hits: [] })
  expect(await books.moreLikeThis('g')).toMatchObject({ total: 0, hits: [] })
})

test('moreLikeThis() finds rows like a text, which may be anything', async () => {
  const { hits } = await books.moreLikeThis({ text: 'harpoons for hunting' })
  expect(hits.map(({ key }) => key)).toEqual(['c', 'b', 'a'])
  expect((await books.moreLikeThis({ text: '' })).total).toBe(0)
  expect((await books.moreLikeThis({ text: 'the and of' })).total).toBe(0)
  for (const text of ['a\0whale', '\ud800 whale', `${'z'.repeat(3000)} whale`, "'whale' & !:*"]) {
    expect(keysOf(await books.moreLikeThis({ text })), text.slice(0, 20)).toContain('a')
  }
  const huge = Array.from({ length: 300_000 }, (_, at) => `word${at}`).join(' ')
  expect(keysOf(await books.moreLikeThis({ text: `whale ${huge}` }))).toContain('a')
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: 'binary', maxLength: 200 }), async (text) => {
      await books.moreLikeThis({ text })
    }),
    { numRuns: 50 },
  )
})

test('moreLikeThis() reads a row as its transaction sees it, and refuses what is not there', async () => {
  const client = await pool.connect()
  try {
    await client.query('begin')
    await client.query("insert into book values ('h', 'Whales again', 'A white whale at sea')")
    await client.query("delete from book where isbn = 'e'")
    expect(keysOf(await books.moreLikeThis('h', { client }))[0]).toBe('a')
    await expect(books.moreLikeThis('e', { client })).rejects.toMatchObject({
      code: 'SEARCH_UNKNOWN_KEY',
    })
    await expect(books.moreLikeThis('h')).rejects.toMatchObject({ code: 'SEARCH_UNKNOWN_KEY' })
  } finally {
    await client.query('rollback')
    client.release()
  }
  for (const key of [
    '',
    'A',
    "a' or true --",
    '__proto__',
    'x'.repeat(10_000),
    '\ud800',
    17,
    17n,
  ]) {
    await expect(books.moreLikeThis(key)).rejects.toMatchObject({ code: 'SEARCH_UNKNOWN_KEY' })
  }
  for (const key of ['abc', '99999999999999999999', '1.5', 'NaN']) {
    await expect(rows.moreLikeThis(key)).rejects.toMatchObject({ code: 'SEARCH_UNKNOWN_KEY' })
  }
})

test('moreLikeThis() refuses options that make no sense', async () => {
  const refused = (like: unknown, options?: object) =>
    expect(books.moreLikeThis(like as string, options)).rejects.toMatchObject({
      code: 'SEARCH_INVALID_QUERY',
    })
  for (const like of [undefined, null, {}, { text: 1 }, true, Symbol.iterator, 'a\0'])
    await refused(like)
  for (const fields of [[], ['genre'], ['__proto__'], 'title']) await refused('a', { fields })
  await refused({ text: 'a' }, { fields: ['title'] })
  for (const maxWords of [0, 65, 1.5, '3', Number.NaN]) await refused('a', { maxWords })
  for (const minDocuments of [-1, 0.5, 2 ** 31]) await refused('a', { minDocuments })
  await refused('a', { limit: 1001 })
  await refused('a', { filters: { title: 'x' } })
  await refused('a', null as unknown as object)
})

interface Counted {
  readonly counts: ReadonlyMap<string, number>
  readonly length: number
}

function counted(): Map<string, Counted> {
  const lists = [...model].map(([key, fields]): [string, Counted] => {
    const counts = new Map<string, number>()
    let length = 0
    for (const [field, weight] of Object.entries(WEIGHTS)) {
      for (const word of (fields[field] ?? '').split(' ').filter((one) => one !== '')) {
        counts.set(word, (counts.get(word) ?? 0) + weight)
        length += weight
      }
    }
    return [key, { counts, length }]
  })
  return new Map(lists)
}

/** BM25 by the textbook: the part of a word's score that depends on the document, and how rare the word is. */
function textbook(lists: ReadonlyMap<string, Counted>) {
  const all = [...lists.values()]
  const mean = all.reduce((sum, { length }) => sum + length, 0) / all.length
  const having = new Map<string, number>()
  for (const { counts } of all) {
    for (const word of counts.keys()) having.set(word, (having.get(word) ?? 0) + 1)
  }
  return {
    havingOf: (word: string) => having.get(word) ?? 0,
    partOf: ({ counts, length }: Counted, word: string) => {
      const count = counts.get(word) ?? 0
      return count / (count + 1.2 * (0.25 + (0.75 * length) / mean))
    },
    rarityOf: (word: string) => {
      const found = having.get(word) ?? 0
      return Math.log(1 + (all.length - found + 0.5) / (found + 0.5))
    },
  }
}

test('moreLikeThis() is the exact top k of the words that tell most, by brute force', async () => {
  const some = fc.record({
    key: fc.constantFrom(...model.keys()),
    maxWords: fc.constantFrom(1, 3, 25, 64),
    minDocuments: fc.constantFrom(1, 5),
    limit: fc.constantFrom(1, 10),
    minimumMatch: fc.constantFrom(1, 3),
    filtered: fc.boolean(),
  })
  const lists = counted()
  const { havingOf, partOf, rarityOf } = textbook(lists)
  const check = async (given: typeof some extends fc.Arbitrary<infer T> ? T : never) => {
    const { key, maxWords, minDocuments, limit, minimumMatch, filtered } = given
    const own = lists.get(key) as Counted
    const words = [...own.counts.keys()]
      .filter((word) => havingOf(word) > minDocuments)
      .map((word) => ({ word, part: partOf(own, word), rarity: rarityOf(word) }))
      .sort((a, b) => b.part * b.rarity - a.part * a.rarity || (a.word < b.word ? -1 : 1))
      .slice(0, maxWords)
    const scores = new Map<string, number>()
    const truth: number[] = []
    for (const [other, list] of lists) {
      const shared = words.filter(({ word }) => list.counts.has(word))
      if (other === key || shared.length < Math.max(1, Math.min(minimumMatch, words.length)))
        continue
      if (filtered && Number(other) % 3 !== 1) continue
      const score = shared.reduce(
        (sum, { word, part, rarity }) => sum + part * rarity * 2.2 * partOf(list, word),
        0,
      )
      scores.set(other, score)
      truth.push(score)
    }
    truth.sort((a, b) => b - a)
    const { total, hits } = await rows.moreLikeThis(Number(key), {
      maxWords,
      minDocuments,
      limit,
      minimumMatch,
      filters: filtered ? { kind: 1 } : {},
    })
    expect(total).toBe(truth.length)
    expect(hits.length).toBe(Math.min(limit, truth.length))
    for (const [at, hit] of hits.entries()) {
      expect(hit.score).toBeCloseTo(truth[at] ?? Number.NaN, 8)
      expect(hit.score).toBeCloseTo(scores.get(hit.key) ?? Number.NaN, 8)
      expect(hit.key).not.toBe(key)
    }
  }
  await fc.assert(fc.asyncProperty(some, check), { numRuns: 40 })
})

test('moreLikeThis() tells a role nothing of rows that a policy hides', async () => {
  await pool.query(`alter table book enable row level security;
    alter table book force row level security;
    create policy most on book using (isbn <> 'b');
    create role like_reader;
    grant usage on schema howdah, public to like_reader;
    grant select on all tables in schema howdah, public to like_reader`)
  const client = await pool.connect()
  const seen = new SearchIndex('books', {
    pool,
    table: 'book',
    key: 'isbn',
    fields: { title: { weight: WEIGHTS.title }, body: {} },
    facets: ['genre'],
  })
  try {
    await client.query('begin; set local role like_reader')
    await expect(seen.moreLikeThis('b', { client })).rejects.toMatchObject({
      code: 'SEARCH_UNKNOWN_KEY',
    })
    const { total, hits } = await seen.moreLikeThis('a', { client })
    expect([total, keysOf({ hits }).toSorted()]).toEqual([2, ['c', 'd']])
  } finally {
    await client.query('rollback')
    client.release()
    await seen.close()
    await pool.query(`alter table book disable row level security;
      drop owned by like_reader; drop role like_reader`)
  }
})
