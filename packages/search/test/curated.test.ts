import { SearchIndex } from '@howdah/search'
import { type TestDatabase, testDatabase } from '@howdah/testkit'
import fc from 'fast-check'
import type { Pool } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { random, zipfWord } from './brute-force.js'

let database: TestDatabase
let pool: Pool
let index: SearchIndex
const next = random(29)

beforeAll(async () => {
  database = await testDatabase()
  pool = database.pool()
  await pool.query('create table doc (id int primary key, body text, kind int)')
  const rows = Array.from({ length: 2500 }, (_, at) => ({
    id: at + 1,
    body: Array.from({ length: 20 }, () => zipfWord(next, 500)).join(' '),
    kind: at % 3,
  }))
  await pool.query('insert into doc select * from json_populate_recordset(null::doc, $1)', [
    JSON.stringify(rows.slice(0, 2000)),
  ])
  index = new SearchIndex('docs', {
    pool,
    table: 'doc',
    key: 'id',
    fields: { body: {} },
    facets: ['kind'],
    language: 'simple',
  })
  await index.attach()
  await index.maintain()
  // Some are hot, and some gone.
  await pool.query('insert into doc select * from json_populate_recordset(null::doc, $1)', [
    JSON.stringify(rows.slice(2000)),
  ])
  await pool.query('delete from doc where id % 7 = 0')
})
afterAll(async () => {
  await index.close()
  await database.close()
})

test('pinned and hidden rows make of the best rows what they make of all rows', async () => {
  const key = fc.integer({ min: 1, max: 2600 }).map(String)
  // Rows that match best are where it matters.
  const best = async (query: string) => (await index.search(query)).hits.map((hit) => hit.key)
  const some = fc.record({
    words: fc.integer({ min: 1, max: 3 }),
    pinned: fc.array(key, { maxLength: 3 }),
    hidden: fc.array(key, { maxLength: 3 }),
    pinnedBest: fc.subarray([0, 3, 9]),
    hiddenBest: fc.subarray([0, 1, 5]),
    limit: fc.constantFrom(0, 1, 10, 30),
    offset: fc.constantFrom(0, 2, 9),
    minimumMatch: fc.constantFrom(1, 2),
    mode: fc.constantFrom('any' as const, 'all' as const),
  })
  const check = async (given: typeof some extends fc.Arbitrary<infer T> ? T : never) => {
    const { words, limit, offset, minimumMatch, mode } = given
    const query = Array.from({ length: words }, () => zipfWord(next, 500)).join(' ')
    await index.rules.setResults([])
    const top = await best(query)
    const from = (places: number[]) => places.flatMap((place) => top[place] ?? [])
    const pinned = [...new Set([...from(given.pinnedBest), ...given.pinned])]
    const hidden = [...new Set([...given.hidden, ...from(given.hiddenBest)])]
    await index.rules.setResults([{ query, pinned, hidden }])
    const options = { limit, offset, minimumMatch, mode, fuzzy: false }
    const short = await index.search(query, options)
    // Counting a facet looks at every row that matches.
    const long = await index.search(query, { ...options, facets: ['kind'] })
    expect(short.total, query).toBe(long.total)
    expect(short.hits.length).toBe(long.hits.length)
    for (const [at, hit] of short.hits.entries()) {
      const other = long.hits[at]
      expect(hit.score).toBeCloseTo(other?.score ?? Number.NaN, 9)
      // Rows of equal scores may stand in either order.
      if (hit.score === 0 || pinned.includes(hit.key)) expect(hit.key).toBe(other?.key)
    }
    for (const one of hidden) expect(short.hits.map((hit) => hit.key)).not.toContain(one)
  }
  await fc.assert(fc.asyncProperty(some, check), { numRuns: 60 })
})

test('pinned rows come first in a query of a phrase, too, and for a query that finds nothing', async () => {
  await index.rules.setResults([{ pinned: ['9', '8'], hidden: ['10', '7'] }])
  for (const query of ['nowhere', '"w1 w2" w3', 'w1*']) {
    const { hits } = await index.search(query)
    expect(hits.slice(0, 2).map((hit) => hit.key)).toEqual(['9', '8'])
    expect(hits.map((hit) => hit.key)).not.toContain('10')
  }
  expect((await index.search('nowhere')).total).toBe(2)
})
