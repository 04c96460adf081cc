import { Database } from '@howdah/core'
import { SearchIndex } from '@howdah/search'
import { type TestDatabase, testDatabase } from '@howdah/testkit'
import fc from 'fast-check'
import type { Pool } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parseQuery } from '../src/query/parse-query.js'

const WORDS = [
  'running',
  'bank',
  'account',
  'music',
  'musical',
  'museum',
  'student',
  'new-york',
  'york',
  'foot-ball',
  'free',
  'wi-fi',
  'x.y@example.com',
  '東京都',
  'été',
  'the',
  'of',
  "o'neill",
  '10:30',
  'c++',
] as const

let database: TestDatabase
let pool: Pool
let songs: SearchIndex

beforeAll(async () => {
  database = await testDatabase()
  pool = database.pool()
  await pool.query('create table song (id text primary key, title text, "bo dy" text, year int)')
  let seed = 7
  const next = () => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0
    return seed / 2 ** 32
  }
  const text = (most: number) =>
    Array.from(
      { length: Math.ceil(next() * most) },
      () => WORDS[Math.floor(next() * WORDS.length)],
    ).join(' ')
  const rows = Array.from({ length: 700 }, (_, n) => ({
    id: `${n % 2 === 0 ? 'a' : 'B'}${n}`,
    title: text(3),
    'bo dy': text(8),
    year: n % 5 === 0 ? null : n % 17,
  }))
  await pool.query('insert into song select * from json_populate_recordset(null::song, $1)', [
    JSON.stringify(rows),
  ])
  songs = new SearchIndex('songs', {
    pool,
    table: 'song',
    key: 'id',
    fields: { title: { weight: 2 }, 'bo dy': {} },
    sort: [{ column: 'year', order: 'desc' }],
  })
  await songs.attach()
  await songs.maintain()
  await pool.query(`update song set title = title || ' music' where year = 3`)
})
afterAll(async () => {
  await songs.close()
  await database.close()
})

interface SqlHit {
  readonly key: string
  readonly score: number
  readonly row: unknown
  readonly total: string
}

const ask = async (
  query: string | null,
  hits = 10,
  skip = 0,
  mode = 'any',
  client: Pick<Pool, 'query'> = pool,
) =>
  (
    await client.query<SqlHit>('select * from howdah.search($1, $2, $3, $4, $5)', [
      'songs',
      query,
      hits,
      skip,
      mode,
    ])
  ).rows

async function same(
  query: string,
  mode: 'any' | 'all' = 'any',
  hits = 1000,
  skip = 0,
): Promise<void> {
  const expected = await songs.search(query, { mode, fuzzy: false, limit: hits, offset: skip })
  const found = await ask(query.replaceAll('\0', ' '), hits, skip, mode)
  expect(found.length, query).toBe(expected.hits.length)
  for (const [at, { key, score, row, total }] of found.entries()) {
    const hit = expected.hits[at]
    expect(Number(total), query).toBe(expected.total)
    expect(Math.abs(score - (hit?.score ?? Number.NaN)), query).toBeLessThan(1e-9)
    // Scores that differ by a rounding error may stand in either order.
    const ties = expected.hits.filter((one) => Math.abs(one.score - score) < 1e-9)
    if (hits === 1000) expect(ties.find((one) => one.key === key)?.row, query).toEqual(row)
    if (score === 0) expect(key, query).toBe(hit?.key)
  }
}

const readable = fc.constantFrom(
  ...WORDS,
  'musi',
  'stud',
  'runs',
  'OR',
  'or',
  'unheard',
  '“',
  '"',
  '-',
  '--',
  '*',
  ':',
  '?!',
  '→',
  '¼',
  'ª',
  '٣',
  'TITLE:',
  'title:',
  'bo dy:',
  'Bo Dy:music',
  'title:"new york"',
  '\u00a0',
  '\u2028',
  '𝕗𝕣𝕖𝕖',
  '😀',
  '(',
  "'",
  '\\',
  '&',
  '|',
  '!',
  '<->',
  ':A',
  ':*',
)
const clause = fc.tuple(
  fc.constantFrom('', '', '', '-', 'title:', '-title:', 'bo dy:'),
  readable,
  fc.constantFrom('', '', '', '*', '**', '"', ':', ' '),
)
const phrase = fc.array(readable, { maxLength: 4 }).map((all) => `"${all.join(' ')}"`)
const query = fc
  .array(
    fc.oneof(
      { weight: 4, arbitrary: clause.map((parts) => parts.join('')) },
      { weight: 1, arbitrary: phrase },
    ),
    {
      maxLength: 7,
    },
  )
  .chain((all) => fc.constantFrom(' ', ' ', '  ', '').map((between) => all.join(between)))

test('search() in SQL finds what search() in TypeScript does', async () => {
  await fc.assert(
    fc.asyncProperty(query, fc.constantFrom('any' as const, 'all' as const), (q, mode) =>
      same(q, mode),
    ),
    { numRuns: 100 },
  )
  for (const one of ['music', 'music bank', '"wi-fi" OR stu*', '-music', '', 'free free music']) {
    await same(one, 'any', 3, 2)
    await same(one, 'all', 20)
  }
}, 60_000)

test('the query language is read alike, whatever is in it', async () => {
  const odd = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 12 }),
    fc.string({ unit: 'grapheme', maxLength: 12 }),
    query,
  )
  const texts = fc.array(odd, { maxLength: 6 }).chain((all) =>
    fc.constantFrom(' ', '"', '-', '').map((between) =>
      all
        .join(between)
        .replaceAll('\0', ' ')
        .replace(/\p{Surrogate}/gu, ' '),
    ),
  )
  const fields = ['title', 'bo dy']
  await fc.assert(
    fc.asyncProperty(fc.array(texts, { minLength: 20, maxLength: 40 }), async (all) => {
      const { rows } = await pool.query<{ read: unknown }>(
        `select (select coalesce(json_agg(json_build_array(p.kind, p.text, p.field, p.excluded, case when not p.excluded then p.branch end)), '[]')
           from howdah.search_parse(t.text, $2) p) as read
         from unnest($1::text[]) with ordinality t(text, n) order by n`,
        [all, fields],
      )
      for (const [at, text] of all.entries()) {
        const { branches, excluded } = parseQuery(text, fields)
        const read = rows[at]?.read as [string, string, string | null, boolean, number | null][]
        const ours = (wanted: boolean) => read.filter(([, , , minus]) => minus !== wanted)
        expect(ours(false).map(([kind, one, field]) => [kind, one, field])).toEqual(
          excluded.map((clauseOf) => [clauseOf.kind, clauseOf.text, clauseOf.field ?? null]),
        )
        const groups = new Map<number | null, typeof read>()
        for (const one of ours(true)) groups.set(one[4], [...(groups.get(one[4]) ?? []), one])
        expect(
          [...groups.values()].map((group: typeof read) =>
            group.map(([kind, one, field]) => [kind, one, field]),
          ),
          JSON.stringify(text),
        ).toEqual(
          branches.map((branch) =>
            branch.map((clauseOf) => [clauseOf.kind, clauseOf.text, clauseOf.field ?? null]),
          ),
        )
      }
    }),
    { numRuns: 25 },
  )
})

test('a letter or number is one in both', async () => {
  const named = (code: number) => /[\p{L}\p{N}]/u.test(String.fromCodePoint(code))
  const edges: number[] = []
  for (let code = 1; code < 0x110000; code++) {
    if (code === 0xd800) code = 0xe000
    if (named(code) !== named(code - 1)) edges.push(code - 1, code)
  }
  const { rows } = await pool.query<{ code: number; named: boolean }>(
    `select c as code, exists (select from howdah.search_parse(chr(c), '{}')) as named
     from unnest($1::int[]) c where c > 0 and c not between 55296 and 57343`,
    [edges],
  )
  expect(rows.length).toBeGreaterThan(1000)
  // A newer Node.js may know letters that were added since.
  const wrong = rows.filter(({ code, named: known }) => known !== named(code))
  expect(wrong.length, JSON.stringify(wrong)).toBeLessThan(rows.length / 50)
})

test('no query raises, and a long one is read as far as in TypeScript', async () => {
  const hostile = [
    "'; drop table song; --",
    '"unfinished',
    '-"',
    'title:',
    '\\',
    "'\\'",
    '<0>',
    'a:*b',
    '{a,b}',
    '%s %1$s',
    '$1',
    'NULL',
  ]
  for (const one of hostile) await same(one)
  for (const word of [
    'free ',
    'x',
    'a.b,',
    "'",
    '"free" ',
    '-free ',
    'free* ',
    '(',
    '東',
    'a-',
    '😀',
    '𝕗 ',
  ]) {
    await same(word.repeat(100_000 / word.length), 'any', 5)
  }
  await same(`${'nothing '.repeat(399)}music`)
  await same(`${'nothing '.repeat(400)}music`)
  await same(`${' '.repeat(4096)}music`, 'any', 5)
  await same(`${'😀'.repeat(2046)} music`, 'any', 5)
  expect((await ask(null)).length).toBe(10)
}, 60_000)

test('rules for results hold, and those for words do not', async () => {
  await songs.rules.setResults([
    { query: ' Music  BANK', pinned: ['a0', 'B1'], hidden: ['a2'] },
    { pinned: ['B3', 'B1', 'none'], hidden: ['B5'] },
  ])
  for (const one of ['music bank', 'music', '', 'unheard', '-music', 'the']) await same(one)
  expect((await ask('MUSIC bank', 3)).map(({ key }) => key)).toEqual(['a0', 'B1', 'B3'])
  await songs.rules.setResults([])
  await songs.rules.setSynonyms([['unheard', 'music']])
  expect(await ask('unheard')).toEqual([])
  await songs.rules.setSynonyms([])
})

test('it runs with the rights of who calls it, under whatever search path', async () => {
  const client = await pool.connect()
  try {
    await client.query('begin')
    await client.query('create role sql_reader')
    await client.query('create schema evil authorization sql_reader')
    await client.query('grant usage on schema howdah to sql_reader')
    await client.query('set local role sql_reader')
    await client.query(
      `create function evil.to_tsvector(regconfig, text) returns tsvector language sql as 'select null::tsvector'`,
    )
    await client.query('set local search_path = evil, pg_catalog')
    await client.query('savepoint before')
    await expect(ask('music', 10, 0, 'any', client)).rejects.toThrow('permission denied')
    await client.query('rollback to before')
    await client.query('set local role none')
    await client.query('grant select on all tables in schema howdah to sql_reader')
    await client.query('grant select on public.song to sql_reader')
    await client.query('alter table public.song enable row level security')
    await client.query('create policy p on public.song using (year = 3)')
    const all = await ask('music', 1000, 0, 'any', client)
    await client.query('set local role sql_reader')
    const seen = await ask('music', 1000, 0, 'any', client)
    expect(seen.length).toBeGreaterThan(0)
    expect(seen.length).toBeLessThan(all.length)
    expect(Number(seen[0]?.total)).toBe(seen.length)
    for (const { row } of seen) expect(row).toMatchObject({ year: 3 })
    expect(Number((await ask('', 1, 0, 'any', client))[0]?.total)).toBe(
      Number((await client.query('select count(*) from public.song')).rows[0]?.count),
    )
  } finally {
    await client.query('rollback')
    client.release()
  }
})

test('an index that is not there is said so, and so is a mode that is none', async () => {
  await expect(pool.query(`select * from howdah.search('other', 'x')`)).rejects.toMatchObject({
    code: '42704',
  })
  await expect(pool.query('select * from howdah.search(null, null)')).rejects.toMatchObject({
    code: '42704',
  })
  await expect(ask('x', 10, 0, 'some')).rejects.toMatchObject({ code: '22023' })
  expect(await ask('music', -5, -5)).toEqual([])
  expect(await ask('music', 2 ** 31 - 1, 2 ** 31 - 1)).toEqual([])
})

test('it works in triggers, for other schemas, keys and languages', async () => {
  const own = database.pool({ max: 2 })
  const db = Database.from(own, { schema: `we "ird's` })
  await pool.query(`create table "it's" (k uuid primary key, "te xt" text)`)
  await pool.query(`insert into "it's" values (gen_random_uuid(), 'Häuser und Bäume')`)
  const index = new SearchIndex('bücher', {
    pool: db,
    table: { name: "it's" },
    key: 'k',
    fields: { 'te xt': {} },
    language: 'german',
  })
  await index.attach()
  const { rows } = await pool.query(`select * from "we ""ird's".search('bücher', 'haus "te xt":x')`)
  expect(rows.length).toBe((await index.search('haus "te xt":x')).total)
  expect(
    (await pool.query(`select * from "we ""ird's".search('bücher', 'baum te xt:haus')`)).rows,
  ).toHaveLength(1)
  // As the guide has it.
  await pool.query(`create function found(query text, page int default 0) returns setof song language sql stable as $$
    select o.* from howdah.search('songs', query, 20, 20 * page) s
    join song o on o.id = s.key order by s.score desc, s.key collate "C" $$`)
  const page = await pool.query(`select * from found('music', 1)`)
  const expected = await songs.search('music', { limit: 20, offset: 20, fuzzy: false })
  expect(page.rows).toEqual(expected.hits.map(({ row }) => row))
  const named = await pool.query(
    `select key, score, total, row ->> 'title' as title
     from howdah.search('songs', '"new york" -music', hits => 1, mode => 'all')`,
  )
  expect(named.rows[0]).toMatchObject({ title: expect.any(String), total: expect.any(String) })
  await index.detach()
  await index.close()
  await db.close()
  await own.end()
})
