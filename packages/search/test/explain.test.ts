import { SearchIndex, type SearchOptions } from '@howdah/search'
import { type TestDatabase, testDatabase, waitFor } from '@howdah/testkit'
import fc from 'fast-check'
import type { Pool } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { random, zipfWord } from './brute-force.js'

let database: TestDatabase
let pool: Pool
let index: SearchIndex
const next = random(5)

beforeAll(async () => {
  database = await testDatabase()
  pool = database.pool()
  await pool.query('create table doc (id int primary key, title text, body text, kind text)')
  const rows = Array.from({ length: 1500 }, (_, at) => ({
    id: at,
    title: text(5),
    body: text(30),
    kind: at % 3 === 0 ? 'odd' : 'even',
  }))
  await pool.query('insert into doc select * from json_populate_recordset(null::doc, $1)', [
    JSON.stringify(rows),
  ])
  index = new SearchIndex('explained', {
    pool,
    table: 'doc',
    key: 'id',
    fields: { title: { weight: 2.5 }, body: {} },
    filters: ['kind'],
    language: 'simple',
  })
  await index.attach()
  await index.maintain()
  // Segments with dead rows, and rows that are in none.
  await pool.query('delete from doc where id % 7 = 0')
  await pool.query(`update doc set body = body || ' wq' where id % 11 = 0`)
  await index.rules.setSynonyms([['wq', 'wr', 'ws wt']])
  // A search and its explanation are planned one after the other, and must be understood the same.
  await waitFor(
    async () => (await pool.query('select from howdah.search_word_log')).rowCount === 0,
    { timeout: '50s' },
  )
})
afterAll(async () => {
  await index.close()
  await database.close()
})

function text(most: number): string {
  return Array.from({ length: Math.floor(next() * most) }, () => zipfWord(next, 400)).join(' ')
}

const word = fc.integer({ min: 1, max: 2 ** 30 }).map((seed) => zipfWord(random(seed), 400))
const clause = fc.oneof(
  { weight: 5, arbitrary: word },
  { weight: 1, arbitrary: word.map((one) => `title:${one}`) },
  { weight: 1, arbitrary: fc.tuple(word, word).map(([a, b]) => `"${a} ${b}"`) },
  { weight: 1, arbitrary: word.map((one) => `-${one}`) },
  { weight: 1, arbitrary: word.map((one) => `${one.slice(0, 3)}*`) },
  { weight: 1, arbitrary: word.map((one) => `${one}xyzzy`) },
  { weight: 1, arbitrary: fc.constant('OR') },
)

test('the parts of a score add up to it, and the rank is the place in the results', async () => {
  const query = fc.array(clause, { minLength: 1, maxLength: 6 }).map((all) => all.join(' '))
  const options = fc.record({
    mode: fc.constantFrom('any' as const, 'all' as const),
    minimumMatch: fc.constantFrom(1, 2),
    filters: fc.constantFrom({}, { kind: 'odd' }),
    prefix: fc.boolean(),
  })
  let explained = 0
  await fc.assert(
    fc.asyncProperty(query, options, async (q, given) => {
      const { hits, total } = await index.search(q, { ...given, limit: 1000 })
      if ((await index.explain(q, 1, given)).rank === undefined && total === 0) return
      const at = Math.floor(hits.length * next())
      for (const [place, hit] of hits.entries()) {
        if (place !== 0 && place !== at && place !== hits.length - 1) continue
        const { matches, rank, score, words, ...rest } = await index.explain(q, hit.key, given)
        expect({ matches, ...rest }).toMatchObject({
          matches: true,
          indexed: true,
          excludedBy: [],
          filteredOut: false,
        })
        expect(score).toBeCloseTo(hit.score, 9)
        expect(words.reduce((sum, one) => sum + one.score, 0)).toBeCloseTo(hit.score, 9)
        if (hit.score === 0) continue
        explained++
        // Scores that differ by a rounding error may stand in either order.
        const same = hits.filter((other) => Math.abs(other.score - hit.score) < 1e-9).length
        expect(Math.abs((rank ?? Number.NaN) - place - 1), q).toBeLessThan(same)
        for (const { count, idf, score: part } of words) {
          const { k1, b, length, meanLength } = rest
          const norm = k1 * (1 - b + (b * length) / meanLength)
          if (words.every(({ word: one }) => !one.endsWith('*'))) {
            expect(part).toBeCloseTo((idf * (k1 + 1) * count) / (count + norm), 9)
          }
        }
      }
      if (hits.length < total) return
      const found = new Set(hits.map(({ key }) => key))
      const missed = Array.from({ length: 3 }, () => String(Math.floor(next() * 1500)))
      for (const key of missed.filter((one) => !found.has(one))) {
        const answer = await index.explain(q, key, given)
        expect(answer, q).toMatchObject({ key, matches: false, rank: undefined })
        const { indexed, missing, excludedBy, filteredOut } = answer
        const why = !indexed || missing.length > 0 || excludedBy.length > 0 || filteredOut
        expect(why, `${q} ${key}`).toBe(true)
      }
    }),
    { numRuns: 8 },
  )
  expect(explained).toBeGreaterThan(5)
}, 60_000)

test('explain() tells typed words, corrections, synonyms and completions apart', async () => {
  await pool.query(`insert into doc values
    (9001, 'television set', 'a wr of its own, televised', 'odd'), (9002, 'televisor', '', 'odd')`)
  await index.maintain()
  const said = async (query: string, key = 9001, options: SearchOptions = {}) =>
    (await index.explain(query, key, options)).words.map(
      ({ typed, word: one, origin, lexeme, count }) => [typed, one, origin, lexeme, count],
    )
  expect(await said('Set televison')).toEqual([
    ['Set', 'Set', 'typed', 'set', 2.5],
    ['televison', 'television', 'correction', 'television', 2.5],
  ])
  expect(await said('wq')).toEqual([['wq', 'wr', 'synonym', 'wr', 1]])
  expect(await said('televis*')).toEqual([['televis', 'televis*', 'typed', 'televis', 1]])
  expect(await said('televisi', 9001, { prefix: true })).toEqual([
    ['televisi', 'television', 'completion', 'television', 2.5],
  ])
  expect(await said('"television set"')).toHaveLength(2)
  expect(await said('televison', 9001, { fuzzy: false })).toEqual([])
})

test('explain() says why a row is not found', async () => {
  const none = { missing: [], excludedBy: [], filteredOut: false, hidden: false, pinned: false }
  const why = (query: string, key: number | string, options: SearchOptions = {}) =>
    index.explain(query, key, options)
  expect(await why('set wombat', 9001, { mode: 'all' })).toMatchObject({
    ...none,
    matches: false,
    missing: ['wombat'],
  })
  expect(await why('set wombat', 9001)).toMatchObject({ matches: true, missing: ['wombat'] })
  expect(await why('"set television" set', 9001)).toMatchObject({ missing: ['set television'] })
  expect(await why('set -"of its"', 9001)).toMatchObject({
    ...none,
    matches: false,
    excludedBy: ['of its'],
  })
  expect(await why('-set', 9001)).toMatchObject({ ...none, matches: false, excludedBy: ['set'] })
  expect(await why('', 9001)).toMatchObject({ ...none, matches: true, rank: undefined, score: 0 })
  expect(await why('set', 9001, { filters: { kind: 'even' } })).toMatchObject({
    ...none,
    matches: false,
    filteredOut: true,
  })
  for (const key of [7, 123_456, 'no number', "'; drop table doc; --", '__proto__']) {
    expect(await why('set', key)).toMatchObject({ ...none, matches: false, indexed: false })
  }
  await index.rules.setResults([{ query: 'set', pinned: ['9002'], hidden: ['9001'] }])
  expect(await why('set', 9001)).toMatchObject({ ...none, matches: false, hidden: true })
  expect(await why('SET', 9002)).toMatchObject({ matches: true, pinned: true, rank: 1, score: 0 })
  await expect(why('set', 'a\0')).rejects.toMatchObject({ code: 'SEARCH_INVALID_QUERY' })
  await expect(why(5 as never, 1)).rejects.toMatchObject({ code: 'SEARCH_INVALID_QUERY' })
})

test('explain() sees what its transaction sees, and nothing of rows that a policy hides', async () => {
  const client = await pool.connect()
  try {
    await client.query('begin')
    await client.query(`insert into doc values (9003, 'unicorn', '', 'odd')`)
    expect(await index.explain('unicorn', 9003, { client })).toMatchObject({ rank: 1 })
    expect(await index.explain('unicorn', 9003)).toMatchObject({ indexed: false })
    await client.query('rollback')
    await client.query('begin')
    await client.query('alter table doc enable row level security')
    await client.query(`create policy p on doc using (kind = 'even')`)
    await client.query('create role explainer')
    await client.query('grant usage on schema howdah to explainer')
    await client.query('grant select on all tables in schema public, howdah to explainer')
    await client.query('set local role explainer')
    expect(await index.explain('television', 9001, { client })).toMatchObject({
      indexed: false,
      matches: false,
      score: 0,
      words: [],
      length: 0,
      missing: [],
      filteredOut: false,
    })
  } finally {
    await client.query('rollback')
    client.release()
  }
})
