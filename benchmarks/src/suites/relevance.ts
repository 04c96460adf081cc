import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { SearchIndex } from '@howdah/search'
import type { Context, Measure, Suite } from '../suite.js'

/** Names the folder with the collections: for each, documents and queries as lines of JSON, and judgements separated by tabs. */
const FOLDER = 'HOWDAH_RELEVANCE_DIR'
const COLLECTIONS = ['cranfield', 'cisi'] as const
const DEPTH = 10

interface Entry {
  readonly id: string
  readonly title?: string
  readonly text: string
}

/** How good the order of results is, on public test collections: nDCG at 10, with linear gains, over the queries that have a relevant document. */
export const relevance: Suite = {
  name: 'relevance',
  setup: async () => [],
  async measures(context) {
    const folder = process.env[FOLDER]
    if (folder === undefined) {
      context.missing(`the collections: set ${FOLDER} to the folder they are in`)
      return []
    }
    // npm and pnpm run us in another folder than the one the command was typed in.
    const from = resolve(process.env['INIT_CWD'] ?? '.', folder)
    return Promise.all(COLLECTIONS.map((name) => measure(context, from, name)))
  },
}

async function measure(context: Context, folder: string, name: string): Promise<Measure> {
  const pool = context.pool({ max: 2 })
  const documents = lines<Entry>(folder, `${name}.docs.jsonl`)
  await pool.query(`create table ${name} (id text primary key, title text, body text)`)
  await pool.query(`insert into ${name} select * from unnest($1::text[], $2::text[], $3::text[])`, [
    documents.map(({ id }) => id),
    documents.map(({ title }) => title ?? ''),
    documents.map(({ text }) => text),
  ])
  const fields = { title: { weight: 2 }, body: {} }
  const index = new SearchIndex(name, { pool, table: name, key: 'id', fields })
  context.onEnd(() => index.close())
  await index.attach()
  const gains = judgements(folder, `${name}.qrels.tsv`)
  const judged = lines<Entry>(folder, `${name}.queries.jsonl`).filter(({ id }) => gains.has(id))
  return {
    figure: `ndcg10_${name}`,
    title: `${documents.length} documents, ${judged.length} queries`,
    unit: '',
    async run() {
      let sum = 0
      for (const { id, text } of judged) {
        const { hits } = await index.search(text, { limit: DEPTH })
        const own = gains.get(id) ?? new Map<string, number>()
        const best = [...own.values()].sort((a, b) => b - a)
        sum += discounted(hits.map(({ key }) => own.get(key) ?? 0)) / discounted(best)
      }
      return sum / judged.length
    },
  }
}

/** Gains by document, for each query that has any. */
function judgements(folder: string, file: string): Map<string, Map<string, number>> {
  const gains = new Map<string, Map<string, number>>()
  for (const line of readFileSync(join(folder, file), 'utf8').split('\n')) {
    const [query = '', document = '', gain = '0'] = line.split('\t')
    if (!(Number(gain) > 0)) continue
    gains.set(query, (gains.get(query) ?? new Map()).set(document, Number(gain)))
  }
  return gains
}

function discounted(gains: readonly number[]): number {
  return gains.slice(0, DEPTH).reduce((sum, gain, at) => sum + gain / Math.log2(at + 2), 0)
}

function lines<T>(folder: string, file: string): T[] {
  const text = readFileSync(join(folder, file), 'utf8')
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as T)
}
