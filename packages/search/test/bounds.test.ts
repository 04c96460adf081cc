import { SearchIndex } from '@howdah/search'
import { type TestDatabase, testDatabase } from '@howdah/testkit'
import type { Pool } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { bruteForce, type Fields, random } from './brute-force.js'

/** A word of the notes makes a document longer by so little that many lengths share a level. */
const WEIGHTS = { body: 1, notes: 0.002 }
/** A segment as filling makes them. */
const ROWS = 4096

let database: TestDatabase
let pool: Pool
let index: SearchIndex
const documents = new Map<string, Fields>()

beforeAll(async () => {
  const next = random(5)
  database = await testDatabase()
  pool = database.pool()
  await pool.query('create table doc (id int primary key, body text, notes text)')
  const rows = Array.from({ length: ROWS }, (_, at) => {
    const words: string[] = []
    // In a few rows, which differ in their notes alone: one level has many of them.
    if (at % 30 === 0) words.push('close')
    else if (next() < 0.5) words.push(...Array(1 + Math.floor(next() * 4)).fill('often'))
    while (words.length < (at % 30 === 0 ? 12 : 8 + (at % 13))) {
      words.push(`filler${Math.floor(next() * 900)}`)
    }
    const fields = { body: words.join(' '), notes: 'note '.repeat(Math.floor(next() * 60)) }
    documents.set(String(at + 1), fields)
    return { id: at + 1, ...fields }
  })
  await pool.query('insert into doc select * from json_populate_recordset(null::doc, $1)', [
    JSON.stringify(rows),
  ])
  index = new SearchIndex('bounds', {
    pool,
    table: 'doc',
    key: 'id',
    fields: { body: { weight: WEIGHTS.body }, notes: { weight: WEIGHTS.notes } },
    language: 'simple',
  })
  await index.attach()
  expect((await index.stats()).segments).toBe(1)
})
afterAll(async () => {
  await index.close()
  await database.close()
})

test('rows whose scores differ by less than a level are told apart', async () => {
  const expected = bruteForce(documents, WEIGHTS, ['close'])
  for (const limit of [10, 30]) {
    const { hits } = await index.search('close', { limit, fuzzy: false })
    expect(hits.length).toBe(limit)
    for (const [at, { score }] of hits.entries()) {
      expect(Math.abs(score - (expected[at]?.score ?? 0)), `at ${at}`).toBeLessThan(1e-9)
    }
  }
})

interface Level {
  slot: number
  level: number
}

test('levels, in arrays and in planes, are what a word counts in a row, rounded up', async () => {
  const { rows: segments } = await pool.query('select mean from howdah.search_segment_1_1')
  const [{ mean }] = segments
  const { rows: stored } = await pool.query(
    `select slot::int, key from howdah.search_document_1_1 order by slot`,
  )
  const keys = new Map(stored.map(({ slot, key }) => [slot as number, key as string]))
  const share = (slot: number, word: string) => {
    const { body = '', notes = '' } = documents.get(keys.get(slot) ?? '') ?? {}
    const words = (text: string) => text.split(' ').filter((one) => one !== '')
    const length = words(body).length * WEIGHTS.body + words(notes).length * WEIGHTS.notes
    const times = words(body).filter((one) => one === word).length
    return times / (times + 1.2 * (0.25 + (0.75 * length) / mean))
  }
  const { rows: arrays } = await pool.query<Level & { term: string }>(
    `select p.term, u.slot, u.level from howdah.search_posting_1_1 p, unnest(p.slots, p.levels) u(slot, level)
    where p.term in ('close', 'filler1')`,
  )
  expect(arrays.length).toBeGreaterThan(130)
  for (const { term, slot, level } of arrays) {
    const exact = 992 * share(slot, term)
    expect(level).toBeGreaterThanOrEqual(exact - 1e-9)
    expect(level).toBeLessThan(exact + 1)
  }
  const { rows: planes } = await pool.query<Level>(
    `select slot, get_bit(plane_1, slot) + 2 * get_bit(plane_2, slot) + 4 * get_bit(plane_3, slot)
      + 8 * get_bit(plane_4, slot) + 16 * get_bit(plane_5, slot) as level
    from howdah.search_posting_1_1 p, generate_series(0, ${ROWS - 1}) slot where p.term = 'often'`,
  )
  expect(planes.filter(({ level }) => level > 0).length).toBeGreaterThan(1500)
  for (const { slot, level } of planes) {
    const exact = 31 * share(slot, 'often')
    expect(level).toBeGreaterThanOrEqual(exact - 1e-9)
    expect(level).toBeLessThan(exact + 1 + 1 / 32)
  }
})
