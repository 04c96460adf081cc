import { SearchIndex } from '@howdah/search'
import type { Context, Measure } from '../suite.js'
import { type Collection, fillCollection, ndcg10 } from './relevance-collections.js'
import { mistyped, random } from './search-vocabulary.js'

/** Share of the words that get an error, and the shortest of them. */
const MISTYPED = 0.3
const SHORTEST = 5

/**
 * How much of the nDCG@10 that typing errors cost their correction wins back: the mean over the collections. Each round makes other errors.
 */
export async function typoRecovery(
  context: Context,
  collections: readonly Collection[],
): Promise<Measure[]> {
  const pool = context.pool({ max: 4 })
  const searched: Searched[] = []
  for (const collection of collections) {
    const table = await fillCollection(pool, collection)
    const index = new SearchIndex(`${table}_typos`, {
      pool,
      table,
      key: 'id',
      fields: { title: {}, text: {} },
    })
    await index.attach()
    context.onEnd(() => index.close())
    searched.push({
      collection,
      index,
      clean: await mean(collection, index, collection.queries, false),
    })
  }
  let round = 0
  const recovered = async () => {
    round++
    const all: number[] = []
    for (const one of searched) all.push(await recovery(one, round))
    return all
  }
  return [
    {
      figure: 'typo_recovery',
      title: `Share of the nDCG@10 lost to an error in ${MISTYPED * 100} % of the words that correction wins back, mean of ${collections.map(({ name }) => name).join(' and ')}`,
      unit: '',
      async run() {
        const all = await recovered()
        return all.reduce((sum, one) => sum + one, 0) / all.length
      },
    },
  ]
}

interface Searched {
  readonly collection: Collection
  readonly index: SearchIndex
  /** nDCG@10 of the queries as they are. */
  readonly clean: number
}

async function recovery({ collection, index, clean }: Searched, seed: number): Promise<number> {
  const next = random(seed * 7919)
  const wrong = collection.queries.map(({ id, text }) => ({ id, text: withErrors(text, next) }))
  const lost = await mean(collection, index, wrong, false)
  const corrected = await mean(collection, index, wrong, true)
  return (corrected - lost) / (clean - lost)
}

async function mean(
  { gains }: Collection,
  index: SearchIndex,
  queries: Collection['queries'],
  fuzzy: boolean,
): Promise<number> {
  const scores = await Promise.all(
    queries.map(async ({ id, text }) => {
      const { hits } = await index.search(text, { limit: 10, fuzzy })
      return ndcg10(
        hits.map(({ key }) => key),
        gains.get(id) ?? new Map(),
      )
    }),
  )
  return scores.reduce((sum, one) => sum + one, 0) / scores.length
}

function withErrors(text: string, next: () => number): string {
  return text.replace(/[a-z]+/gi, (word) =>
    word.length >= SHORTEST && next() < MISTYPED ? mistyped(word, next) : word,
  )
}
