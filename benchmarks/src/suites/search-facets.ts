import { SearchIndex } from '@howdah/search'
import type { Pool } from 'pg'
import type { Context, RunContender, Scenario } from '../suite.js'
import type { Corpus } from './search-corpus.js'

const FACETS = Array.from({ length: 24 }, (_, at) => `f${at}`)
/** Different values of each facet: 24 of the first, from 2 to 13 of the others. */
const valuesOf = (at: number) => (at === 0 ? 24 : 2 + (at >> 1))
/** Share of the rows that the query finds, if its words have nothing to do with each other. */
const FOUND = 0.36
const ROUNDS = 3

/**
 * Counts the values of facets over a third of the rows, where the usual SQL groups the rows that a GIN index of a `tsvector` finds: the 24 values of one column,
 * and those of 24 columns, in a statement for each column or one for all, beside which ours has the best ten rows, too.
 */
export async function facets(context: Context, made: Corpus, count: number): Promise<Scenario[]> {
  const pool = context.pool({ max: 2 })
  const columns = FACETS.map((name) => `${name} text`).join(', ')
  // Some values are frequent and most are rare, and none has to do with another column's.
  const values = FACETS.map(
    (_, at) =>
      `'v' || floor(${valuesOf(at)} * (abs(hashint8extended(id, ${at})) % 10007 / 10007.0) ^ 2)`,
  )
  await pool.query(`create table faceted (id int primary key, body text, ${columns})`)
  await pool.query(
    `insert into faceted select id, title || ' ' || body, ${values.join(', ')} from plain`,
  )
  await pool.query(`create table grouped (id int primary key, ${columns}, words tsvector)`)
  await pool.query(
    `insert into grouped select id, ${FACETS.join(', ')}, to_tsvector('simple', body) from faceted`,
  )
  await pool.query('create index on grouped using gin (words)')
  const index = new SearchIndex('faceted', {
    pool,
    table: 'faceted',
    key: 'id',
    fields: { body: {} },
    facets: FACETS,
    language: 'simple',
  })
  context.onEnd(() => index.close())
  await index.attach()
  await index.maintain()
  const { rows } = await pool.query(`select oid::regclass::text as name from pg_class
    where relkind = 'r' and relnamespace = 'howdah'::regnamespace and relname like 'search_%'`)
  for (const { name } of rows) await pool.query(`vacuum analyze ${name}`)
  for (const name of ['faceted', 'grouped']) await pool.query(`vacuum analyze ${name}`)
  const words = frequentWords(made, count)
  const first = FACETS.slice(0, 1)
  const all: [RunContender, RunContender] = [
    counting('group by, a statement a column', () => groupEach(pool, words, FACETS)),
    counting('grouping sets, one statement', () => groupAll(pool, words)),
  ]
  const over = `over a third of ${count.toLocaleString('en')} rows`
  return [
    {
      figure: 'facets24_vs_sql',
      title: `The 24 values of a column counted ${over}`,
      callers: 1,
      compares: 'speed',
      ours: counting('Howdah', () => howdah(index, words, first, 0)),
      peers: [counting('group by', () => groupEach(pool, words, first))],
    },
    {
      figure: 'facets24_columns_vs_sql',
      title: `The values of 24 columns counted ${over}`,
      callers: 1,
      compares: 'speed',
      ours: counting('Howdah, with the best ten rows', () => howdah(index, words, FACETS, 10)),
      peers: all,
      best: { name: 'SQL', peers: all.map(({ name }) => name) },
    },
  ]
}

/** The most frequent words, as many as it takes to find so many rows. */
function frequentWords({ words, found }: Corpus, count: number): string[] {
  const ranked = words
    .map((word, at) => ({ word, share: (found[at] as number) / count }))
    .sort((a, b) => b.share - a.share)
  let left = 1
  const chosen: string[] = []
  for (const { word, share } of ranked) {
    if (1 - left >= FOUND) break
    left *= 1 - share
    chosen.push(word)
  }
  return chosen
}

/** Counts of all facets, in any order. */
type Counts = readonly number[]
/** By how many there are: what each contender of a scenario must count. */
const expected = new Map<number, string>()

function counting(name: string, count: () => Promise<Counts>): RunContender {
  return {
    name,
    async run() {
      const latencies: number[] = []
      for (let round = 0; round < ROUNDS; round++) {
        const before = performance.now()
        const counts = await count()
        latencies.push(performance.now() - before)
        const told = JSON.stringify([...counts].sort((a, b) => a - b))
        const other = expected.get(counts.length) ?? told
        expected.set(counts.length, told)
        if (told !== other) throw new Error(`${name} counts otherwise than the others`)
      }
      return { count: latencies.length, latencies }
    },
  }
}

async function howdah(
  index: SearchIndex,
  words: readonly string[],
  facets: readonly string[],
  limit: number,
): Promise<Counts> {
  const found = await index.search(words.join(' '), { facets, limit })
  return facets.flatMap((name) => (found.facets[name] ?? []).map(({ count }) => count))
}

async function groupEach(
  pool: Pool,
  words: readonly string[],
  columns: readonly string[],
): Promise<Counts> {
  const counts: number[] = []
  for (const name of columns) {
    const { rows } = await pool.query({
      name: `count-${name}`,
      text: `select ${name}, count(*)::int as n from grouped where words @@ $1::text::tsquery group by 1`,
      values: [words.map((word) => `'${word}'`).join(' | ')],
    })
    counts.push(...rows.map(({ n }) => n))
  }
  return counts
}

async function groupAll(pool: Pool, words: readonly string[]): Promise<Counts> {
  const { rows } = await pool.query({
    name: 'count-all',
    text: `select ${FACETS.join(', ')}, count(*)::int as n from grouped where words @@ $1::text::tsquery
      group by grouping sets (${FACETS.map((name) => `(${name})`).join(', ')})`,
    values: [words.map((word) => `'${word}'`).join(' | ')],
  })
  return rows.map(({ n }) => n)
}
