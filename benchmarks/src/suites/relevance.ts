import { SearchIndex } from '@howdah/search'
import type { Context, Measure, Suite } from '../suite.js'
import {
  type Collection,
  fillCollection,
  ndcg10,
  RELEVANCE_FOLDER,
  readCollection,
} from './relevance-collections.js'
import { typoRecovery } from './relevance-typos.js'

const COLLECTIONS = ['cranfield', 'cisi']
const DEPTH = 10

/** How good the order of results is, on public test collections: nDCG at 10, with linear gains, over the queries that have a relevant document. */
export const relevance: Suite = {
  name: 'relevance',
  setup: async () => [],
  async measures(context) {
    const collections = COLLECTIONS.flatMap((name) => readCollection(name) ?? [])
    if (collections.length < COLLECTIONS.length) {
      context.missing(`the collections: set ${RELEVANCE_FOLDER} to the folder they are in`)
      return []
    }
    const ranked: Measure[] = []
    for (const collection of collections) ranked.push(await measure(context, collection))
    return [...ranked, ...(await typoRecovery(context, collections))]
  },
}

async function measure(context: Context, collection: Collection): Promise<Measure> {
  const { name, documents, queries } = collection
  const pool = context.pool({ max: 2 })
  const table = await fillCollection(pool, collection)
  const fields = { title: { weight: 2 }, text: {} }
  const index = new SearchIndex(name, { pool, table, key: 'id', fields })
  context.onEnd(() => index.close())
  await index.attach()
  let once: Promise<number> | undefined
  return {
    figure: `ndcg10_${name}`,
    title: `${documents.length} documents, ${queries.length} queries`,
    unit: '',
    // The same in every round: it is asked once.
    run: () => (once ??= mean(index, collection)),
  }
}

async function mean(index: SearchIndex, { queries, gains }: Collection): Promise<number> {
  let sum = 0
  for (const { id, text } of queries) {
    const { hits } = await index.search(text, { limit: DEPTH })
    const keys = hits.map(({ key }) => key)
    sum += ndcg10(keys, gains.get(id) ?? new Map())
  }
  return sum / queries.length
}
