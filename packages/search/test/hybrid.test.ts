import { PGlite } from '@electric-sql/pglite'
import { vector as pgvector } from '@electric-sql/pglite-pgvector'
import { Database } from '@howdah/core'
import { type HybridOptions, SearchIndex, type SearchOptions } from '@howdah/search'
import { type TestDatabase, testDatabase } from '@howdah/testkit'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { random, zipfWord } from './brute-force.js'

const ROWS = 300
const K = 60
const OPERATORS = { cosine: '<=>', l2: '<->', inner: '<#>' } as const

type Fused = { readonly [Option in keyof HybridOptions]-?: NonNullable<HybridOptions[Option]> }

interface Setup {
  readonly pool: Database
  readonly run: <T>(sql: string, values?: unknown[]) => Promise<T[]>
  readonly close: () => Promise<void>
}

async function onPGlite(): Promise<Setup> {
  const pglite = new PGlite({ extensions: { vector: pgvector } })
  await pglite.waitReady
  const pool = Database.from(pglite)
  return {
    pool,
    run: async <T>(sql: string, values: unknown[] = []) =>
      (await pglite.query<T>(sql, values)).rows,
    close: async () => {
      await pool.close()
      await pglite.close()
    },
  }
}

async function onServer(database: TestDatabase): Promise<Setup> {
  const pool = database.pool()
  return {
    pool: Database.from(pool),
    run: async <T>(sql: string, values: unknown[] = []) =>
      (await pool.query(sql, values)).rows as T[],
    close: async () => {},
  }
}

const database = await testDatabase()
const { rows: available } = await database
  .pool()
  .query("select from pg_available_extensions where name = 'vector'")
afterAll(() => database.close())

describe('on PGlite with pgvector', () => hybridTests(onPGlite))

describe.skipIf(available.length === 0)('on a server that has pgvector', () => {
  hybridTests(() => onServer(database))
  indexTests()
})

test('without the extension a hybrid search says what is missing', async () => {
  const pglite = new PGlite()
  await pglite.exec(
    "create table note (id int primary key, body text); insert into note values (1, 'word')",
  )
  const plain = Database.from(pglite)
  const index = new SearchIndex('plain', {
    pool: plain,
    table: 'note',
    key: 'id',
    fields: { body: {} },
  })
  await index.attach()
  const hybrid = { column: 'embedding', vector: [1] }
  await expect(index.search('word', { hybrid })).rejects.toMatchObject({
    code: 'SEARCH_NO_VECTOR',
    message: expect.stringContaining('create extension vector'),
  })
  // It is looked for anew, and searches without it go on.
  await expect(index.search('word', { hybrid })).rejects.toMatchObject({ code: 'SEARCH_NO_VECTOR' })
  expect((await index.search('word')).total).toBe(1)
  await index.close()
  await plain.close()
  await pglite.close()
})

function hybridTests(setUp: () => Promise<Setup>): void {
  let setup: Setup
  let index: SearchIndex
  const next = random(41)
  const numbers = () => Array.from({ length: 3 }, () => next() * 2 - 1)
  const word = () => zipfWord(next, 80)

  beforeAll(async () => {
    setup = await setUp()
    const { run, pool } = setup
    await run('create schema "ext ra"')
    await run('create extension vector schema "ext ra"')
    await run(`create table doc (id int primary key, body text, kind int, "em""bed" "ext ra".vector(3), half "ext ra".halfvec(3),
      loose "ext ra".vector, lat float8, lon float8)`)
    const rows = Array.from({ length: ROWS }, (_, at) => {
      // Some have no vector, and one has no direction.
      const vector = at % 11 === 0 ? null : at === 1 ? '[0,0,0]' : JSON.stringify(numbers())
      const body = Array.from({ length: 12 }, word).join(' ')
      const all = { 'em"bed': vector, half: vector, loose: vector }
      return { id: at + 1, body, kind: at % 3, ...all, lat: at % 90, lon: 0 }
    })
    await run('insert into doc select * from json_populate_recordset(null::doc, $1::text::json)', [
      JSON.stringify(rows),
    ])
    index = new SearchIndex('docs', {
      pool,
      table: 'doc',
      key: 'id',
      fields: { body: {} },
      facets: ['kind'],
      geo: { place: { lat: 'lat', lon: 'lon' } },
      language: 'simple',
    })
    await index.attach()
  }, 120_000)
  afterAll(async () => {
    await index?.close()
    await setup?.close()
  })

  /** Fuses the two rankings, of which the one by words is that of the search without vectors. */
  async function reference(query: string, hybrid: Fused, options: SearchOptions) {
    const { column, metric, weight, candidates } = hybrid
    const quoted = `"${column.replace('"', '""')}"`
    const words = [...query.matchAll(/-(\w+)/g)].map(([, one]) => one)
    const asked = query.replaceAll(/-\w+/g, '').trim()
    const found = asked === '' ? [] : (await index.search(query, { ...options, limit: 1000 })).hits
    const byWords = [...found].sort((a, b) => b.score - a.score || (a.key < b.key ? -1 : 1))
    const near = await setup.run<{ key: string; body: string; kind: number; distance: number }>(
      `select id::text as key, body, kind,
        (${quoted} operator("ext ra".${OPERATORS[metric]}) $1::text::"ext ra".vector)::float8 as distance
      from doc where ${quoted} is not null`,
      [JSON.stringify(hybrid.vector)],
    )
    const kind = options.filters?.['kind']
    const byVector = near
      .filter((row) => !Number.isNaN(Number(row.distance)))
      .filter((row) => kind === undefined || row.kind === kind)
      .filter((row) => !words.some((one) => row.body.split(' ').includes(one as string)))
      .sort((a, b) => a.distance - b.distance || (a.key < b.key ? -1 : 1))
    const ranks = new Map<string, { words?: number; vector?: number }>()
    for (const [at, { key }] of byWords.slice(0, candidates).entries()) {
      ranks.set(key, { words: at + 1 })
    }
    for (const [at, { key }] of byVector.slice(0, candidates).entries()) {
      ranks.set(key, { ...ranks.get(key), vector: at + 1 })
    }
    return [...ranks]
      .map(([key, rank]) => {
        const one = rank.words === undefined ? 0 : 1 / (K + rank.words)
        const other = rank.vector === undefined ? 0 : weight / (K + rank.vector)
        return { key, ranks: rank, score: one + other }
      })
      .sort((a, b) => b.score - a.score || (a.key < b.key ? -1 : 1))
  }

  const asked = fc.record({
    words: fc.array(fc.constantFrom('wr', 'ws', 'wt', 'wa', 'wbb', 'nowhere', '-ws', '-wv'), {
      maxLength: 4,
    }),
    metric: fc.constantFrom('cosine' as const, 'l2' as const, 'inner' as const),
    column: fc.constantFrom('em"bed', 'loose'),
    weight: fc.constantFrom(1, 0.25, 3),
    candidates: fc.constantFrom(1, 5, 100, 1000),
    kind: fc.constantFrom(undefined, 0, 2),
    mode: fc.constantFrom('any' as const, 'all' as const),
    offset: fc.constantFrom(0, 3),
  })

  test('the two rankings are fused as a reference fuses them', async () => {
    const check = async (given: typeof asked extends fc.Arbitrary<infer T> ? T : never) => {
      const { words, metric, column, weight, candidates, kind, mode, offset } = given
      const query = words.join(' ')
      const hybrid = { column, vector: numbers(), metric, weight, candidates }
      const options = { mode, fuzzy: false, filters: kind === undefined ? {} : { kind } }
      const truth = await reference(query, hybrid, options)
      const { total, hits } = await index.search(query, { ...options, hybrid, offset, limit: 20 })
      expect(total).toBe(truth.length)
      const shown = hits.map(({ key, score, ranks }) => ({ key, ranks, score }))
      expect(shown).toEqual(truth.slice(offset, offset + 20))
    }
    await fc.assert(fc.asyncProperty(asked, check), { numRuns: 60 })
  })

  test('an empty query, and one whose words no row has, is ranked by vectors alone', async () => {
    const hybrid = { column: 'em"bed', vector: [1, 0, 0] }
    const { hits, total } = await index.search('', { hybrid })
    expect(total).toBe(100)
    expect(hits[0]).toMatchObject({ score: 1 / 61, ranks: { vector: 1 } })
    expect(hits[0]?.ranks).not.toHaveProperty('words')
    const keys = hits.map(({ key }) => key)
    for (const query of ['nowhere', '"', '-nowhere', '"no where"', 'body:nowhere']) {
      const other = await index.search(query, { hybrid })
      expect(
        other.hits.map(({ key }) => key),
        query,
      ).toEqual(keys)
    }
    const floats = { ...hybrid, vector: Float32Array.of(1, 0, 0) }
    expect((await index.search('', { hybrid: floats })).hits[0]?.key).toBe(keys[0])
    const half = await index.search('', { hybrid: { ...hybrid, column: 'half' } })
    expect(half.hits.slice(0, 3).map(({ key }) => key)).toEqual(keys.slice(0, 3))
  })

  test('filters, facets, pages and highlights are as those of a search', async () => {
    const query = 'wr'
    const hybrid = { column: 'em"bed', vector: [0.5, 0.5, -1], candidates: 20 }
    const place = { near: { lat: 10, lon: 0 }, within: 2_000_000 }
    const { total, hits, facets } = await index.search(query, {
      hybrid,
      filters: { kind: [0, 1], place },
      facets: ['kind'],
      highlight: true,
      limit: 1000,
    })
    expect(hits).toHaveLength(total)
    expect(total).toBeGreaterThan(20)
    for (const { row, highlights, ranks, distances } of hits) {
      expect([0, 1]).toContain(row['kind'])
      expect(distances?.['place']).toBeLessThanOrEqual(2_000_000)
      const marked = highlights?.['body']?.includes('<mark>')
      if (ranks?.words !== undefined) expect(marked).toBe(true)
    }
    const counted = [0, 1].map((kind) => hits.filter(({ row }) => row['kind'] === kind).length)
    expect(facets['kind']?.toSorted((a, b) => Number(a.value) - Number(b.value))).toEqual(
      counted.map((count, value) => ({ value, count })),
    )
  })

  test('pinned rows come first, and hidden ones are in neither ranking', async () => {
    const hybrid = { column: 'em"bed', vector: [1, 0, 0], candidates: 5 }
    const before = await index.search('', { hybrid })
    const hidden = before.hits[0]?.key as string
    // The first has no vector.
    await index.rules.setResults([{ pinned: ['1', '300000'], hidden: [hidden] }])
    const { hits, total } = await index.search('', { hybrid })
    await index.rules.setResults([])
    expect(total).toBe(6)
    expect(hits[0]).toMatchObject({ key: '1', score: 0, ranks: {} })
    expect(hits.slice(1).map(({ ranks }) => ranks?.vector)).toEqual([1, 2, 3, 4, 5])
    expect(hits.map(({ key }) => key)).not.toContain(hidden)
  })

  test('a transaction finds what it wrote, by words and by vector, in one snapshot', async () => {
    const undone = setup.pool.transaction(async (tx) => {
      await tx.query({
        text: `insert into doc (id, body, "em""bed") values (5000, 'brandnew', '[9,9,9]'::text::"ext ra".vector)`,
      })
      const hybrid = { column: 'em"bed', vector: [9, 9, 9], metric: 'l2' as const }
      const { hits } = await index.search('brandnew', { hybrid, client: tx, fuzzy: false })
      expect(hits[0]).toMatchObject({ key: '5000', score: 2 / 61, ranks: { words: 1, vector: 1 } })
      throw new Error('undo')
    })
    await expect(undone).rejects.toThrow('undo')
  })

  test('a policy hides rows from both rankings, and from the total', async () => {
    const { run, pool } = setup
    await run('create table secret (id int primary key, body text, embedding "ext ra".vector(2))')
    await run(
      `insert into secret select i, 'word', '[1,0]'::text::"ext ra".vector from generate_series(1, 6) i`,
    )
    const options = { pool, table: 'secret', key: 'id', fields: { body: {} } }
    await using owner = new SearchIndex('secrets', options)
    await owner.attach()
    await run('alter table secret enable row level security')
    await run('create policy even on secret using (id % 2 = 0)')
    await run('create role hybrid_reader')
    await run('grant usage on schema howdah, public, "ext ra" to hybrid_reader')
    await run('grant select on all tables in schema howdah, public to hybrid_reader')
    await using reader = new SearchIndex('secrets', options)
    const undone = pool.transaction(async (tx) => {
      await tx.query({ text: 'set local role hybrid_reader' })
      const hybrid = { column: 'embedding', vector: [1, 0.5] }
      const { total, hits } = await reader.search('word', { hybrid, client: tx })
      expect([total, hits.map(({ key }) => key).toSorted()]).toEqual([3, ['2', '4', '6']])
      throw new Error('undo')
    })
    await expect(undone).rejects.toThrow('undo')
    await run('drop owned by hybrid_reader')
    await run('drop role hybrid_reader')
  })

  test('what is no vector of the column is refused', async () => {
    const hybrid = { column: 'em"bed', vector: [1, 2, 3] }
    const refused = (changed: object, code = 'SEARCH_INVALID_QUERY') =>
      expect(
        index.search('w1', { hybrid: { ...hybrid, ...changed } as HybridOptions }),
        JSON.stringify(changed).slice(0, 80),
      ).rejects.toMatchObject({ name: 'HowdahError', code })
    for (const vector of [
      undefined,
      null,
      [],
      [1, 2],
      [1, 2, 3, 4],
      [1, 2, Number.NaN],
      [1, Number.POSITIVE_INFINITY, 0],
      [1e39, 0, 0],
      [1, 2, '3'],
      [1, 2, null],
      new Array(3),
      '[1,2,3]',
      [0, 0, 0],
      [1e-60, 0, 0],
      new Float32Array(20_000),
    ]) {
      await refused({ vector })
    }
    await refused({ column: 'loose', vector: [1, 2] })
    await refused({ column: 'half', vector: [70_000, 0, 0] })
    for (const metric of ['manhattan', '<=>', null, '__proto__']) await refused({ metric })
    for (const weight of [0, -1, Number.NaN, 1001, '1']) await refused({ weight })
    for (const candidates of [0, 1.5, 1001, '10']) await refused({ candidates })
    await refused({ column: 7 })
    await refused({ column: 'a\0' })
    for (const column of ['body', 'nowhere', '', 'id"; drop table doc; --', '__proto__']) {
      await refused({ column }, 'SEARCH_NO_VECTOR')
    }
    await expect(index.search('', { hybrid, sort: [] })).rejects.toMatchObject({
      code: 'SEARCH_INVALID_QUERY',
    })
    await expect(index.search('', { hybrid: null as never })).rejects.toMatchObject({
      code: 'SEARCH_INVALID_QUERY',
    })
    // Tiny numbers are fine where zeros are.
    const tiny = { ...hybrid, vector: [1e-60, 5e-324, -0], metric: 'l2' as const }
    expect((await index.search('', { hybrid: tiny })).total).toBe(100)
  })
}

/** What holds with an index on the vectors. */
function indexTests(): void {
  test('the ranking by vectors uses an index, prepared or not, and scans on for filters where it may', async () => {
    const pool = database.pool()
    await pool.query(`create table item (id int primary key, body text, kind int, embedding "ext ra".vector(8));
      insert into item select i, 'item', i % 50, array(select sin(i * j) from generate_series(1, 8) j)::"ext ra".vector
      from generate_series(1, 5000) i;
      create index item_near on item using hnsw (embedding "ext ra".vector_cosine_ops);
      analyze item`)
    const items = new SearchIndex('items', {
      pool,
      table: 'item',
      key: 'id',
      fields: { body: {} },
      filters: ['kind'],
    })
    await items.attach()
    const used = async () => {
      const { rows } = await pool.query<{ n: number }>(
        "select idx_scan::int as n from pg_stat_user_indexes where indexrelname = 'item_near'",
      )
      return rows[0]?.n ?? 0
    }
    const vector = Array.from({ length: 8 }, (_, at) => Math.sin(17 * (at + 1)))
    const hybrid = { column: 'embedding', vector, candidates: 30 }
    for (let at = 0; at < 10; at++) {
      const { hits } = await items.search('', { hybrid })
      expect(hits[0]?.key).toBe('17')
    }
    await expect.poll(used).toBeGreaterThanOrEqual(10)
    const client = await pool.connect()
    try {
      const filtered = () => items.search('', { hybrid, filters: { kind: 17 }, client })
      await client.query(
        "begin; set local enable_sort = off; set local hnsw.iterative_scan = 'off'",
      )
      const few = await filtered()
      await client.query("set local hnsw.iterative_scan = 'relaxed_order'")
      const enough = await filtered()
      expect(few.total).toBeLessThan(30)
      expect(enough.total).toBe(30)
      expect(enough.hits[0]).toMatchObject({ key: '17', ranks: { vector: 1 } })
    } finally {
      await client.query('rollback')
      client.release()
      await items.close()
    }
  })
}
