import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Pool } from 'pg'

/** A test collection: documents, queries, and how relevant which document is to which query. */
export interface Collection {
  readonly name: string
  readonly documents: readonly {
    readonly id: string
    readonly title: string
    readonly text: string
  }[]
  /** Those with at least one relevant document. */
  readonly queries: readonly { readonly id: string; readonly text: string }[]
  /** By query: the gain of each document that was judged relevant. */
  readonly gains: ReadonlyMap<string, ReadonlyMap<string, number>>
}

/** Names the folder with `<name>.docs.jsonl`, `<name>.queries.jsonl` and `<name>.qrels.tsv`. */
export const RELEVANCE_FOLDER = 'HOWDAH_RELEVANCE_DIR'

/** Reads a collection; undefined where there is none. */
export function readCollection(name: string): Collection | undefined {
  const named = process.env[RELEVANCE_FOLDER] ?? ''
  // npm and pnpm run us in another folder than the one the command was typed in.
  const folder = resolve(process.env['INIT_CWD'] ?? '.', named)
  if (named === '' || !existsSync(join(folder, `${name}.docs.jsonl`))) return undefined
  const lines = (file: string) =>
    readFileSync(join(folder, `${name}.${file}`), 'utf8')
      .split('\n')
      .filter(Boolean)
  const gains = new Map<string, Map<string, number>>()
  for (const line of lines('qrels.tsv')) {
    const [query = '', document = '', gain = '0'] = line.split('\t')
    if (Number(gain) <= 0) continue
    const known = gains.get(query) ?? new Map()
    gains.set(query, known.set(document, Number(gain)))
  }
  const queries = lines('queries.jsonl').map((line) => {
    const { id, text } = JSON.parse(line) as Collection['queries'][0]
    return { id, text: withoutSigns(text) }
  })
  return {
    name,
    documents: lines('docs.jsonl').map((line) => JSON.parse(line) as Collection['documents'][0]),
    queries: queries.filter(({ id }) => gains.has(id)),
    gains,
  }
}

/** The queries are prose, in which quotation marks and dashes are no signs of a query language: one who quotes in it does not ask for the phrase. */
function withoutSigns(text: string): string {
  return text.replace(/["*:]|(?<=^|\s)-+/g, ' ')
}

/** Puts the documents into a table of their own, and answers its name. */
export async function fillCollection(pool: Pool, collection: Collection): Promise<string> {
  const table = `relevance_${collection.name}`
  await pool.query(
    `create table if not exists ${table} (id text primary key, title text, text text)`,
  )
  await pool.query(
    `insert into ${table} select * from json_populate_recordset(null::${table}, $1) on conflict do nothing`,
    [JSON.stringify(collection.documents)],
  )
  return table
}

/** How good the first ten of a ranking are, from 0 to 1: the gains, less the further down, over those of the best ranking there is. */
export function ndcg10(ranking: readonly string[], gains: ReadonlyMap<string, number>): number {
  const sum = (values: readonly number[]) =>
    values.slice(0, 10).reduce((total, gain, at) => total + gain / Math.log2(at + 2), 0)
  const best = [...gains.values()].sort((a, b) => b - a)
  return sum(ranking.map((id) => gains.get(id) ?? 0)) / sum(best)
}
