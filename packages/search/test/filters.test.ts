import { Database, type TransactionHandle } from '@howdah/core'
import { type Facet, type Filter, SearchIndex } from '@howdah/search'
import { type TestDatabase, testDatabase } from '@howdah/testkit'
import fc from 'fast-check'
import type { Pool } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { bruteForce, random, zipfWord } from './brute-force.js'
import {
  COLUMNS,
  type Column,
  countsOf,
  facetsOn,
  filterOn,
  holds,
  isWithin,
  keyOf,
  type Offer,
  TABLE,
  values,
} from './filter-model.js'

const LIMIT = 10
const VOCABULARY = 800
const ROWS = 4700
/** Columns whose values are words in the index. */
const WORDS = COLUMNS.filter((column) => column !== 'weight')

let database: TestDatabase
let pool: Pool
let db: Database
let index: SearchIndex
const model = new Map<number, Offer>()
const next = random(3)
let newest = 0

beforeAll(async () => {
  database = await testDatabase()
  pool = database.pool()
  db = Database.from(pool)
  await pool.query(TABLE)
  await insert(pool, ROWS)
  index = new SearchIndex('filters', {
    pool,
    table: 'offer',
    key: 'id',
    fields: { body: {} },
    facets: COLUMNS,
    sort: ['n', { column: 'price', order: 'desc' }],
    language: 'simple',
  })
  await index.attach()
}, 60_000)
afterAll(async () => {
  await index.close()
  await database.close()
})

type Client = Pick<Pool, 'query'>

const text = () =>
  Array.from({ length: Math.floor(next() * 20) }, () => zipfWord(next, VOCABULARY)).join(' ')
const someValues = (count: number) =>
  fc.sample(values, { numRuns: count, seed: Math.floor(next() * 2 ** 31) })

async function insert(client: Client, count: number, into = model): Promise<void> {
  const rows = someValues(count).map((one) => ({ id: ++newest, body: text(), ...one }))
  for (const row of rows) into.set(row.id, row)
  await client.query('insert into offer select * from json_populate_recordset(null::offer, $1)', [
    JSON.stringify(rows),
  ])
}

async function change(client: Client, share: number, into = model): Promise<void> {
  const ids = [...into.keys()].filter(() => next() < share)
  const fresh = someValues(ids.length)
  const rows = ids.map((id, at) => ({ ...(into.get(id) as Offer), ...fresh[at] }))
  for (const row of rows) into.set(row.id, row)
  // The text stays as it is: the words of the values alone have changed.
  const set = COLUMNS.map((column) => `${column} = n.${column}`).join(', ')
  await client.query(
    `update offer set ${set} from json_populate_recordset(null::offer, $1) n where offer.id = n.id`,
    [JSON.stringify(rows)],
  )
}

async function remove(client: Client, share: number, from = model): Promise<void> {
  const ids = [...from.keys()].filter(() => next() < share)
  for (const id of ids) from.delete(id)
  await client.query('delete from offer where id = any ($1)', [ids])
}

interface Asked {
  readonly words: readonly string[]
  readonly without: string | undefined
  readonly phrase: boolean
  readonly mode: 'any' | 'all'
  readonly minimumMatch: number
  readonly filters: Filter
  readonly facets: readonly Facet[]
}

function matches({ body }: Offer, { words, without, phrase, mode, minimumMatch }: Asked): boolean {
  const own = body.split(' ')
  if (without !== undefined && own.includes(without)) return false
  if (words.length === 0) return true
  if (phrase) return ` ${body} `.includes(` ${words.join(' ')} `)
  const distinct = [...new Set(words)]
  const need = mode === 'all' ? distinct.length : Math.min(minimumMatch, distinct.length)
  return distinct.filter((word) => own.includes(word)).length >= need
}

/** Hits, scores, total and counts must be those of every row. */
async function compare(
  rows: ReadonlyMap<number, Offer>,
  asked: Asked,
  client?: TransactionHandle,
): Promise<void> {
  const { words, without, phrase, mode, minimumMatch, filters, facets } = asked
  const query = [
    phrase ? `"${words.join(' ')}"` : words.join(' '),
    without === undefined ? '' : `-${without}`,
  ].join(' ')
  const options = { mode, minimumMatch, filters, facets, limit: LIMIT, fuzzy: false }
  const found = await index.search(query, client === undefined ? options : { ...options, client })
  // The way that looks at every match, live, says the same.
  const looked = await index.search(query, { ...options, client, sort: ['n'] })
  expect(looked.total).toBe(found.total)
  expect(looked.facets).toEqual(found.facets)
  const matched = [...rows.values()].filter((row) => matches(row, asked))
  const expected = matched.filter((row) => holds(row, filters))
  expect(found.total).toBe(expected.length)
  const texts = new Map([...rows].map(([id, { body }]) => [String(id), { body }]))
  const keys = new Set(expected.map(({ id }) => String(id)))
  expect(found.hits).toHaveLength(Math.min(LIMIT, expected.length))
  for (const { key } of found.hits) expect(keys).toContain(key)
  if (words.length > 0) {
    const scored = bruteForce(texts, { body: 1 }, [...new Set(words)]).filter(({ key }) =>
      keys.has(key),
    )
    for (const [at, { score, key }] of found.hits.entries()) {
      expect(Math.abs(score - (scored[at]?.score ?? Number.NaN))).toBeLessThan(1e-9)
      const same = scored.filter((one) => Math.abs(one.score - score) < 1e-9)
      expect(same.map((one) => one.key)).toContain(key)
    }
  }
  for (const facet of facets) {
    const column = (typeof facet === 'string' ? facet : facet.column) as Column
    const { [column]: _, ...others } = filters
    const counted = matched.filter((row) => holds(row, others as Filter))
    const told = Object.getOwnPropertyDescriptor(found.facets, column)?.value
    if (typeof facet === 'string') {
      const counts = told.map((one: { value: unknown; count: number }) => one.count)
      expect(counts).toEqual([...counts].sort((a, b) => b - a))
      const truth = countsOf(counted, column)
      expect(
        new Map(
          told.map((one: { value: unknown; count: number }) => [
            keyOf(column, one.value),
            one.count,
          ]),
        ),
      ).toEqual(truth)
      expect(told).toHaveLength(truth.size)
    } else {
      expect(told).toEqual(
        facet.ranges.map((range) => ({
          ...range,
          count: counted.filter((row) => isWithin(row, column, range)).length,
        })),
      )
    }
  }
}

const word = fc.nat({ max: 1000 }).map((n) => zipfWord(() => n / 1001, VOCABULARY))
function ask(columns: readonly Column[]): fc.Arbitrary<Asked> {
  return fc
    .record({
      words: fc.oneof(
        fc.uniqueArray(word, { maxLength: 4 }),
        fc.uniqueArray(word, { maxLength: 1 }),
      ),
      without: fc.option(word, { nil: undefined, freq: 2 }),
      phrase: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
      mode: fc.constantFrom('any' as const, 'any' as const, 'all' as const),
      minimumMatch: fc.constantFrom(1, 1, 2),
      filters: filterOn(columns),
      facets: facetsOn(columns),
    })
    .map((one) => ({ ...one, phrase: one.phrase && one.words.length > 0 })) as fc.Arbitrary<Asked>
}

async function compareSome(
  rows: ReadonlyMap<number, Offer>,
  runs: number,
  client?: TransactionHandle,
): Promise<void> {
  const seed = Math.floor(next() * 2 ** 31)
  const check = fc.asyncProperty(ask(WORDS), (asked) => compare(rows, asked, client))
  await fc.assert(check, { numRuns: runs, seed })
}

test('hits, scores, totals and counts are those of every row', async () => {
  await compareSome(model, 40)
}, 60_000)

test('they are for columns that the index has no words of', async () => {
  await fc.assert(
    fc.asyncProperty(ask(COLUMNS), (asked) => compare(model, asked)),
    { numRuns: 15 },
  )
}, 60_000)

test('they stay so through writes, rollbacks and maintenance', async () => {
  for (const share of [0.02, 0.2]) {
    await insert(pool, Math.ceil(ROWS * share))
    await change(pool, share)
    await compareSome(model, 8)
    const after = new Map(model)
    const undone = db.transaction(async (tx) => {
      const client = tx as unknown as Client
      await remove(client, share, after)
      await change(client, share, after)
      await insert(client, 50, after)
      // Its own writes are there for the writer, and for nobody else.
      await compareSome(after, 8, tx)
      await compareSome(model, 8)
      throw new Error('undo')
    })
    await expect(undone).rejects.toThrow('undo')
    await compareSome(model, 4)
    await remove(pool, share)
    await compareSome(model, 8)
    await index.maintain()
    await compareSome(model, 8)
  }
  expect((await index.stats()).errors).toEqual([])
}, 120_000)
