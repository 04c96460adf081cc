import { SearchIndex } from '@howdah/search'
import type { Pool } from 'pg'
import { percentile } from '../measure/statistics.js'
import type { Context, Measure, RunContender, Scenario, Suite } from '../suite.js'
import { type Corpus, corpus, type SyntheticDocument } from './search-corpus.js'
import { facets } from './search-facets.js'
import { type Ask, miniSearch, rankTop } from './search-peers.js'
import { KINDS, type Kind, queries } from './search-queries.js'
import { mistyped, random, timed } from './search-vocabulary.js'

const LOADED_AT_ONCE = 2000
const INSERTED_A_ROUND = 300
/** The first id that the measured inserts give, above all that are loaded. */
const FIRST_INSERTED = 10_000_000

const TITLES: Readonly<Record<Kind, string>> = {
  common: '1 to 4 words that a tenth of the documents have, or more',
  mixed: '2 to 4 words, frequent and rare ones',
  medium: '1 to 4 words that one or two of a hundred documents have',
  rare: '1 to 4 words that some of ten thousand documents have',
}

interface Prepared {
  readonly pool: Pool
  readonly index: SearchIndex
  readonly byKind: Readonly<Record<Kind, string[][]>>
  readonly made: Corpus
  /** What tables of ours take, over what a tsvector column and its GIN do: all of them, and all but those of the vocabulary. */
  readonly bytes: number
  readonly bytesOfDocuments: number
}

let prepared: Prepared | undefined

/** The best ten of any of the words: ours by BM25, and a tsvector column with GIN, ordered by ts_rank. */
export const search: Suite = {
  name: 'search',
  async setup(context) {
    const documents = context.quick ? 100_000 : 1_000_000
    prepared = await prepare(context, documents, context.quick ? 2 : 3)
    const { pool, index, byKind, made } = prepared
    const mini = context.quick ? miniSearch(corpus(documents)) : undefined
    const scenarios = KINDS.map((kind): Scenario => {
      const asked = byKind[kind]
      return {
        figure: `${kind}_vs_tsrank`,
        title: `Top 10 of ${documents.toLocaleString('en')} documents, ${TITLES[kind]}`,
        callers: 1,
        compares: 'speed',
        ours: asking('Howdah', asked, (words) => howdahTop(index, words)),
        peers: [
          asking('GIN, ts_rank', asked, rankTop(pool)),
          ...(mini === undefined ? [] : [asking('MiniSearch, in memory', asked, mini)]),
        ],
      }
    })
    return [...scenarios, inserts(pool), ...(await facets(context, made, documents))]
  },
  async measures(): Promise<Measure[]> {
    const { index, byKind, bytes, bytesOfDocuments, made } = prepared as Prepared
    const next = random(11)
    const long = made.words.filter((word, at) => word.length >= 8 && (made.found[at] as number) > 0)
    const twoErrors = () =>
      mistyped(mistyped(long[Math.floor(next() * long.length)] as string, next), next)
    const all = KINDS.flatMap((kind) => byKind[kind])
    return [
      {
        figure: 'any_p50_ms',
        title: 'All the queries above, one after the other',
        unit: 'ms',
        run: async () => (await timeEach(all, (words) => howdahTop(index, words))).p50,
      },
      timed(
        'fuzzy_lookup_ms',
        'A word of 8 letters or more with two errors, corrected',
        index,
        twoErrors,
      ),
      {
        figure: 'bytes_vs_gin',
        title:
          'All tables of ours with their indexes, the vocabulary for typing errors too, over what a tsvector column and its GIN add to the table',
        unit: '',
        run: async () => bytes,
      },
      {
        figure: 'bytes_of_documents_vs_gin',
        title: 'The same without the vocabulary, which has no equal there',
        unit: '',
        run: async () => bytesOfDocuments,
      },
    ]
  },
}

async function prepare(context: Context, count: number, each: number): Promise<Prepared> {
  const pool = context.pool({ max: 4 })
  const made = corpus(count)
  context.progress(`${count.toLocaleString('en')} documents into two tables`)
  await pool.query('create table plain (id int primary key, title text, body text)')
  let batch: SyntheticDocument[] = []
  for (const document of made.documents()) {
    batch.push(document)
    if (batch.length < LOADED_AT_ONCE && document.id < count) continue
    await pool.query('insert into plain select * from unnest($1::int[], $2::text[], $3::text[])', [
      batch.map(({ id }) => id),
      batch.map(({ title }) => title),
      batch.map(({ body }) => body),
    ])
    batch = []
  }
  await pool.query(`create table ranked (id int primary key, title text, body text,
    words tsvector generated always as (
      setweight(to_tsvector('simple', title), 'A') || setweight(to_tsvector('simple', body), 'B')) stored)`)
  await pool.query('insert into ranked (id, title, body) select id, title, body from plain')
  await pool.query('create index on ranked using gin (words)')
  const index = new SearchIndex('plain', {
    pool,
    table: 'plain',
    key: 'id',
    fields: { title: { weight: 2 }, body: {} },
    language: 'simple',
  })
  context.onEnd(() => index.close())
  let told = 0
  await index.attach({
    onProgress: ({ filled }) => {
      if (filled - told < count / 10) return
      told = filled
      context.progress(`${filled.toLocaleString('en')} documents indexed`)
    },
  })
  await index.maintain()
  for (const { name } of await ours(pool)) await pool.query(`vacuum analyze ${name}`)
  for (const name of ['plain', 'ranked']) await pool.query(`vacuum analyze ${name}`)
  const gin = (await sizeOf(pool, 'ranked')) - (await sizeOf(pool, 'plain'))
  const tables = await ours(pool)
  const over = (counted: typeof tables) =>
    counted.reduce((sum, { bytes }) => sum + Number(bytes), 0) / gin
  return {
    pool,
    index,
    made,
    byKind: queries(made, count, each),
    bytes: over(tables),
    bytesOfDocuments: over(tables.filter(({ name }) => !name.includes('word'))),
  }
}

async function ours(pool: Pool): Promise<{ name: string; bytes: string }[]> {
  const { rows } =
    await pool.query(`select oid::regclass::text as name, pg_total_relation_size(oid)::text as bytes
    from pg_class where relkind = 'r' and relnamespace = 'howdah'::regnamespace and relname like 'search_%'`)
  return rows
}

async function sizeOf(pool: Pool, table: string): Promise<number> {
  const { rows } = await pool.query('select pg_total_relation_size($1::regclass)::text as bytes', [
    table,
  ])
  return Number(rows[0].bytes)
}

async function howdahTop(index: SearchIndex, words: readonly string[]): Promise<number> {
  return (await index.search(words.join(' '))).hits.length
}

/** Asks all queries once a round. */
function asking(name: string, asked: readonly string[][], ask: Ask): RunContender {
  return {
    name,
    async run() {
      const { latencies } = await timeEach(asked, ask)
      return { count: latencies.length, latencies }
    },
  }
}

async function timeEach(asked: readonly string[][], ask: Ask) {
  const latencies: number[] = []
  for (const words of asked) {
    const before = performance.now()
    const found = await ask(words)
    latencies.push(performance.now() - before)
    if (found !== 10) throw new Error(`${found} rows for ${words.join(' ')}, and not 10`)
  }
  return { latencies, p50: percentile(Float64Array.from(latencies).sort(), 0.5) }
}

function inserts(pool: Pool): Scenario {
  return {
    figure: 'insert_vs_tsvector_gin',
    title: 'Inserting a row that is searchable when it commits, into the tables above',
    callers: 1,
    compares: 'latency',
    ours: inserting('Howdah', pool, 'plain'),
    peers: [inserting('tsvector and GIN', pool, 'ranked')],
  }
}

function inserting(name: string, pool: Pool, table: string): RunContender {
  let id = FIRST_INSERTED
  return {
    name,
    async run() {
      const latencies: number[] = []
      for (let row = 0; row < INSERTED_A_ROUND; row++) {
        id++
        const before = performance.now()
        await pool.query({
          name: `insert-${table}`,
          text: `insert into ${table} (id, title, body)
            select $1::int, p.title, p.body from plain p where p.id = $1::int - ${FIRST_INSERTED}`,
          values: [id],
        })
        latencies.push(performance.now() - before)
      }
      return { count: INSERTED_A_ROUND, latencies }
    },
  }
}
