import { SearchIndex, type SearchOptions } from '@howdah/search'
import { type TestDatabase, testDatabase } from '@howdah/testkit'
import fc from 'fast-check'
import type { Pool } from 'pg'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { random } from './brute-force.js'

const COUNT = 120

let database: TestDatabase
let pool: Pool
let items: SearchIndex
let next = random(3)

beforeAll(async () => {
  database = await testDatabase()
  pool = database.pool()
  await pool.query(`create table item (
    id text primary key, body text, kind text collate "C", price numeric, at timestamptz, weight real, day date, "odd ""name" text)`)
  items = new SearchIndex('items', {
    pool,
    table: 'item',
    key: 'id',
    fields: { body: {} },
    facets: ['kind'],
    sort: ['kind', 'price', { column: 'at', order: 'desc' }, 'weight', 'day', 'odd "name'],
    language: 'simple',
  })
  await items.attach()
})
beforeEach(async () => {
  next = random(3)
  await pool.query('truncate item')
  await insert(COUNT)
  await items.rules.setResults([])
})
afterAll(async () => {
  await items.close()
  await database.close()
})

let made = 0
function someRow() {
  const one = <T>(...values: readonly T[]) => values[Math.floor(next() * values.length)] as T
  made++
  return {
    // Keys whose order differs between collations, and is not that of their making.
    id: `${one('a', 'B', 'c-', 'Ä')}${Math.floor(next() * 1e6)}-${made}`,
    body: one('red', 'red red', 'blue', 'green red', 'green blue', 'red blue green'),
    kind: one(null, 'x', 'X', 'y', ''),
    price: one(null, '1', '1.00', '-3', '12345678901234567890.5', 'NaN'),
    at: one(null, '2026-01-01T00:00:00.000001Z', '2026-01-01T00:00:00.000002Z', '-infinity'),
    weight: one(null, 0.1, 1e30, -0),
    day: one(null, '2026-02-03', '0044-03-15 BC'),
    'odd "name': one(null, "it's", '\\', '[null]'),
  }
}

async function insert(count: number): Promise<void> {
  const rows = Array.from({ length: count }, someRow)
  await pool.query('insert into item select * from json_populate_recordset(null::item, $1)', [
    JSON.stringify(rows),
  ])
}

const column = fc.constantFrom('kind', 'price', 'at', 'weight', 'day', 'odd "name')
const sorting = fc.record({ column, order: fc.constantFrom('asc' as const, 'desc' as const) })
const sort = fc.uniqueArray(sorting, { maxLength: 3, selector: ({ column: one }) => one })
const query = fc.constantFrom('', 'red', 'red blue', '-blue', '"green red"', 'red gre*', 'purple')
const options: fc.Arbitrary<SearchOptions> = fc.oneof(
  fc.record({}),
  fc.record({ sort }),
  fc.record({ facets: fc.constant(['kind']) }),
  fc.record({ filters: fc.constant({ kind: ['x', 'y', null] }), sort }),
)

/** All pages one after another. */
async function pages(q: string, given: SearchOptions, limitOf: () => number): Promise<string[]> {
  const keys: string[] = []
  let after: string | undefined
  do {
    const page = await items.search(q, { ...given, after, limit: limitOf() })
    keys.push(...page.hits.map(({ key }) => key))
    after = page.next
    expect(keys.length).toBeLessThanOrEqual(page.total)
    if (after !== undefined) expect(page.hits.length).toBeGreaterThan(0)
  } while (after !== undefined)
  return keys
}

test('pages one after another are the whole list, by score and by any columns', async () => {
  await items.rules.setResults([
    { query: 'red', pinned: [(await items.search('')).hits[7]?.key ?? ''] },
  ])
  await fc.assert(
    fc.asyncProperty(query, options, fc.integer({ min: 1, max: 40 }), async (q, given, most) => {
      const whole = await items.search(q, { ...given, limit: 1000 })
      expect(whole.next).toBeUndefined()
      const keys = whole.hits.map(({ key }) => key)
      expect(await pages(q, given, () => 20 + Math.ceil(next() * most))).toEqual(keys)
    }),
    { numRuns: 60 },
  )
}, 30_000)

test('rows that are inserted and removed between pages show nothing twice and pass nothing over', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom('', 'red', '"red"', 'blue'),
      fc.oneof(fc.constant([]), sort),
      fc.constantFrom(3, 60),
      async (q, by, inserted) => {
        const given = { sort: by }
        const before = await items.search(q, { ...given, limit: 1000 })
        const stay = new Set(before.hits.map(({ key }) => key))
        const shown: string[] = []
        let after: string | undefined
        for (let page = 0; page < 4 || after !== undefined; page++) {
          const found = await items.search(q, { ...given, after, limit: page < 4 ? 9 : 300 })
          shown.push(...found.hits.map(({ key }) => key))
          after = found.next
          if (after === undefined) break
          if (page >= 4) continue
          // Of one length with the others, so that the order by score stays as it is.
          const rows = Array.from({ length: inserted }, () => ({ ...someRow(), body: 'red' }))
          await pool.query(
            'insert into item select * from json_populate_recordset(null::item, $1)',
            [JSON.stringify(rows)],
          )
          const anchor = found.hits.at(-1)?.key
          const gone = [...stay].filter((key) => key !== anchor && next() < 0.05)
          await pool.query('delete from item where id = any ($1)', [gone])
          for (const key of gone) stay.delete(key)
        }
        expect(new Set(shown).size, 'shown twice').toBe(shown.length)
        const passedOver = [...stay].filter((key) => !shown.includes(key))
        expect(passedOver).toEqual([])
        await pool.query('truncate item')
        await insertEven(COUNT)
      },
    ),
    { numRuns: 12 },
  )
}, 30_000)

/** Rows of one word each, whose order by score no insertion changes. */
async function insertEven(count: number): Promise<void> {
  const rows = Array.from({ length: count }, (_, at) => ({
    ...someRow(),
    body: at % 3 === 0 ? 'blue' : 'red',
  }))
  await pool.query('insert into item select * from json_populate_recordset(null::item, $1)', [
    JSON.stringify(rows),
  ])
}

test('equal scores stay in their order while all scores change', async () => {
  await pool.query('truncate item')
  await insertEven(90)
  const first = await items.search('red', { limit: 20 })
  await pool.query(
    `insert into item (id, body) select 'zz' || n, 'green' from generate_series(1, 200) n`,
  )
  const second = await items.search('red', { limit: 100, after: first.next })
  expect(second.hits[0]?.score).not.toBeCloseTo(first.hits[0]?.score ?? 0, 3)
  const keys = [...first.hits, ...second.hits].map(({ key }) => key)
  expect(keys).toEqual((await items.search('red', { limit: 1000 })).hits.map(({ key }) => key))
  expect(second.next).toBeUndefined()
})

test('the page after a row that was removed or moved begins where it was', async () => {
  const by = { sort: ['kind', 'price'] }
  const whole = (await items.search('', { ...by, limit: 1000 })).hits.map(({ key }) => key)
  const first = await items.search('', { ...by, limit: 10 })
  await pool.query('delete from item where id = $1', [whole[9]])
  const second = await items.search('', { ...by, limit: 10, after: first.next })
  expect(second.hits.map(({ key }) => key)).toEqual(whole.slice(10, 20))
  await pool.query(`update item set kind = 'zzz' where id = $1`, [whole[19]])
  const third = await items.search('', { ...by, limit: 10, after: second.next })
  expect(third.hits.map(({ key }) => key)).toEqual(whole.slice(20, 30))
})

test('next says whether there is more', async () => {
  const { total } = await items.search('red')
  expect((await items.search('red', { limit: total })).next).toBeUndefined()
  expect((await items.search('red', { limit: total - 1 })).next).toBeTypeOf('string')
  expect((await items.search('red', { limit: 0 })).next).toBeUndefined()
  expect((await items.search('purple')).next).toBeUndefined()
  const { next: after, hits } = await items.search('red', { offset: 10, limit: 5 })
  const rest = await items.search('red', { after, limit: 5 })
  const there = await items.search('red', { offset: 10, limit: 10 })
  expect([...hits, ...rest.hits]).toEqual(there.hits)
})

test('a cursor that is damaged, forged or of another search is refused', async () => {
  const { next: after = '' } = await items.search('red', { limit: 5 })
  const refused = (q: string, given: SearchOptions, code = 'SEARCH_INVALID_CURSOR') =>
    expect(items.search(q, given)).rejects.toMatchObject({ name: 'HowdahError', code })
  await refused('blue', { after })
  await refused('red', { after, filters: { kind: 'x' } })
  await refused('red', { after, sort: ['price'] })
  await refused('red', { after, mode: 'all' })
  await refused('red', { after, fuzzy: false })
  await refused('red', { after, offset: 5 }, 'SEARCH_INVALID_QUERY')
  await refused('red', { after: 5 as never }, 'SEARCH_INVALID_QUERY')
  for (const bad of [
    '',
    'x',
    '!',
    after.slice(0, -5),
    `${after}AAAA`,
    'bnVsbA',
    'e30',
    'W10',
    'x'.repeat(2 ** 21),
  ]) {
    await refused('red', { after: bad })
  }
  const parts = JSON.parse(Buffer.from(after, 'base64url').toString())
  const forged = (at: number, value: unknown) => {
    const changed = parts.map((part: unknown, n: number) => (n === at ? value : part))
    return Buffer.from(JSON.stringify(changed)).toString('base64url')
  }
  await refused('red', { after: forged(0, 2) })
  await refused('red', { after: forged(0, '1') })
  await refused('red', { after: forged(2, -1) })
  await refused('red', { after: forged(2, 2 ** 31 - 1) })
  await refused('red', { after: forged(3, 'a\0') })
  await refused('red', { after: forged(3, null) })
  await refused('red', { after: forged(5, 'NaN') })
  await refused('red', { after: forged(6, [1]) })
  // What it says of the last hit is taken as it is; it is a position, and gives nobody anything.
  expect(
    (await items.search('red', { after: forged(3, "'; drop table item; --") })).total,
  ).toBeGreaterThan(0)
  const sorted = await items.search('red', { sort: ['price'], limit: 2 })
  const [version, binding, ...more] = JSON.parse(
    Buffer.from(sorted.next ?? '', 'base64url').toString(),
  )
  const wrong = [version, binding, ...more.slice(0, 4), ['no number']]
  await refused('red', {
    sort: ['price'],
    after: Buffer.from(JSON.stringify(wrong)).toString('base64url'),
  })
  const fewer = [version, binding, ...more.slice(0, 4), []]
  await items.search('red', {
    sort: ['price'],
    after: Buffer.from(JSON.stringify(fewer)).toString('base64url'),
  })
})
