import { Database, type TransactionHandle } from '@howdah/core'
import { SearchIndex, type SearchOptions } from '@howdah/search'
import { type TestDatabase, testDatabase } from '@howdah/testkit'
import fc from 'fast-check'
import type { Pool } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { bruteForce, type Fields, random, zipfWord } from './brute-force.js'

const WEIGHTS = { title: 2.5, body: 1 }
const VOCABULARY = 3000
const LIMIT = 10

let database: TestDatabase
let pool: Pool
let db: Database
let index: SearchIndex
/** The same index as another process would have it, which tidies up all the time. */
let other: SearchIndex
let tidying = true
let tidied: Promise<void>
let model = new Map<string, Fields>()
let next = random(11)
let newest = 0

beforeAll(async () => {
  database = await testDatabase()
  pool = database.pool()
  db = Database.from(pool)
  await pool.query('create table doc (id int primary key, title text, body text, kind int)')
  await insert(pool, 6000)
  const fields = { title: { weight: 2.5 }, body: {} }
  const options = { table: 'doc', key: 'id', fields, facets: ['kind'] }
  index = new SearchIndex('exact', { ...options, pool, language: 'simple' })
  other = new SearchIndex('exact', { ...options, pool: database.pool(), language: 'simple' })
  await index.attach()
  tidied = (async () => {
    while (tidying) await other.maintain()
  })()
})
afterAll(async () => {
  tidying = false
  await tidied
  await Promise.all([index, other].map((one) => one.close()))
  await database.close()
})

type Client = Pick<Pool, 'query'>

function text(most: number): string {
  const length = Math.floor(next() ** 2 * most)
  return Array.from({ length }, () => zipfWord(next, VOCABULARY)).join(' ')
}

/** What is filtered on: every change of a text may change it. */
function kindOf({ body = '' }: Fields): number {
  return body.length % 5
}

async function insert(client: Client, count: number, into = model): Promise<void> {
  const rows = Array.from({ length: count }, () => {
    const fields = { title: text(6), body: text(40) }
    into.set(String(++newest), fields)
    return { id: newest, ...fields, kind: kindOf(fields) }
  })
  await client.query('insert into doc select * from json_populate_recordset(null::doc, $1)', [
    JSON.stringify(rows),
  ])
}

function someOf(keys: Map<string, Fields>, share: number): string[] {
  return [...keys.keys()].filter(() => next() < share)
}

async function update(client: Client, share: number, into = model): Promise<void> {
  const rows = someOf(into, share).map((key) => {
    const fields = { title: into.get(key)?.['title'] ?? '', body: text(40) }
    into.set(key, fields)
    return { id: Number(key), ...fields, kind: kindOf(fields) }
  })
  await client.query(
    'update doc set body = n.body, kind = n.kind from json_populate_recordset(null::doc, $1) n where doc.id = n.id',
    [JSON.stringify(rows)],
  )
}

async function remove(client: Client, share: number, from = model): Promise<void> {
  const keys = someOf(from, share)
  for (const key of keys) from.delete(key)
  await client.query('delete from doc where id = any ($1)', [keys.map(Number)])
}

async function rekey(client: Client, share: number, into = model): Promise<void> {
  const keys = someOf(into, share)
  for (const key of keys) {
    into.set(String(Number(key) + 1_000_000), into.get(key) as Fields)
    into.delete(key)
  }
  await client.query('update doc set id = id + 1000000 where id = any ($1)', [keys.map(Number)])
}

/** What is found, in its order, and all scores must be what brute force makes of every document. */
async function compare(
  documents: ReadonlyMap<string, Fields>,
  query: readonly string[],
  options: SearchOptions & { client?: TransactionHandle } = {},
): Promise<void> {
  const { mode = 'any', minimumMatch = 1 } = options
  const need = mode === 'all' ? query.length : Math.min(minimumMatch, query.length)
  const matching = bruteForce(documents, WEIGHTS, query).filter(({ key }) => {
    const { title = '', body = '' } = documents.get(key) ?? {}
    const has = new Set(`${title} ${body}`.split(' '))
    return query.filter((word) => has.has(word)).length >= need
  })
  const kinds = (options.filters?.['kind'] ?? [0, 1, 2, 3, 4]) as readonly number[]
  const kind = (key: string) => kindOf(documents.get(key) as Fields)
  const expected = matching.filter(({ key }) => kinds.includes(kind(key)))
  const { total, hits, facets } = await index.search(query.join(' '), {
    limit: LIMIT,
    fuzzy: false,
    ...options,
  })
  expect(total, `total of ${query}`).toBe(expected.length)
  for (const { value, count } of facets['kind'] ?? []) {
    expect(count).toBe(matching.filter(({ key }) => kind(key) === value).length)
  }
  expect(hits.length).toBe(Math.min(LIMIT, expected.length))
  for (const [at, { key, score }] of hits.entries()) {
    const truth = expected[at]
    expect(Math.abs(score - (truth?.score ?? Number.NaN)), `${query} at ${at}`).toBeLessThan(1e-9)
    // Scores that differ by a rounding error may stand in either order.
    const same = expected.filter((one) => Math.abs(one.score - score) < 1e-9)
    expect(same.map((one) => one.key)).toContain(key)
  }
  expect(new Set(hits.map(({ key }) => key)).size).toBe(hits.length)
}

function words(count: number): string[] {
  return [...new Set(Array.from({ length: count }, () => zipfWord(next, VOCABULARY)))]
}

async function compareSome(
  documents: ReadonlyMap<string, Fields>,
  client?: TransactionHandle,
): Promise<void> {
  const own = client === undefined ? {} : { client }
  await compare(documents, words(1), own)
  await compare(documents, words(4), own)
  await compare(documents, words(8), own)
  await compare(documents, words(2), { ...own, mode: 'all' })
  await compare(documents, words(5), { ...own, minimumMatch: 2 })
  // Among the most frequent words, which have planes.
  const frequent = [...new Set(Array.from({ length: 3 }, () => zipfWord(next, 12)))]
  await compare(documents, frequent, own)
  await compare(documents, frequent, { ...own, mode: 'all' })
  await compare(documents, [...frequent, ...words(2)], own)
  const filtered = { ...own, filters: { kind: [0, 3] }, facets: ['kind'] }
  await compare(documents, [...frequent, ...words(2)], filtered)
  await compare(documents, words(3), filtered)
  await compare(documents, frequent, { ...filtered, minimumMatch: 2 })
}

const share = fc.constantFrom(0.002, 0.02, 0.2)
const change = fc.oneof(
  fc.record({ kind: fc.constant('insert' as const), share }),
  fc.record({ kind: fc.constant('update' as const), share }),
  fc.record({ kind: fc.constant('remove' as const), share }),
  fc.record({ kind: fc.constant('rekey' as const), share: fc.constant(0.002) }),
)
type Change = typeof change extends fc.Arbitrary<infer T> ? T : never

async function apply({ kind, share }: Change, client: Client, into: Map<string, Fields>) {
  if (kind === 'insert') await insert(client, Math.ceil(6000 * share), into)
  else if (kind === 'update') await update(client, share, into)
  else if (kind === 'remove') await remove(client, share, into)
  else await rekey(client, share, into)
}

test('the top k is that of brute force, whatever was written and while another process tidies up', async () => {
  const step = fc.record({
    changes: fc.array(change, { minLength: 1, maxLength: 3 }),
    how: fc.constantFrom('alone', 'committed', 'rolled back' as const),
  })
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 1, maxLength: 3 }),
      fc.integer(),
      async (steps, seed) => {
        next = random(seed)
        for (const { changes, how } of steps) {
          const before = model
          const after = new Map(model)
          if (how === 'alone') {
            for (const one of changes) await apply(one, pool, after)
            model = after
          } else {
            const written = db.transaction(async (tx) => {
              for (const one of changes) await apply(one, tx as unknown as Client, after)
              // Its own writes are there for the writer, and for nobody else.
              await compareSome(after, tx)
              await compareSome(before)
              if (how === 'rolled back') throw new Error('undo')
            })
            await written.catch((error: Error) => expect(error.message).toBe('undo'))
            if (how === 'committed') model = after
          }
          await compareSome(model)
        }
      },
    ),
    { numRuns: 3, endOnFailure: true },
  )
  expect((await index.stats()).errors).toEqual([])
}, 60_000)

test('a reader stays in its snapshot while others write and segments come and go', async () => {
  const before = model
  const reader = await pool.connect()
  try {
    await reader.query('begin isolation level repeatable read')
    await reader.query('select count(*) from doc')
    const after = new Map(model)
    await remove(pool, 0.3, after)
    await insert(pool, 2500, after)
    model = after
    await index.maintain()
    await compareSome(before, reader)
    await compareSome(after)
  } finally {
    await reader.query('rollback')
    reader.release()
  }
}, 60_000)

test('a truncated table is empty for its writer, for others until the commit, and stays so', async () => {
  const before = model
  const undone = db.transaction(async (tx) => {
    await tx.query('truncate doc')
    expect((await index.search('w1 w2', { client: tx })).total).toBe(0)
    throw new Error('undo')
  })
  await expect(undone).rejects.toThrow('undo')
  await compareSome(before)
  await pool.query('truncate doc')
  model = new Map()
  await compareSome(model)
  await insert(pool, 300)
  await compareSome(model)
  await index.maintain()
  await compareSome(model)
}, 60_000)
