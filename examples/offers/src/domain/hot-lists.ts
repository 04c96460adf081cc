import type { Cache } from '@howdah/cache'
import type { Transaction } from '@howdah/core'
import type { Board } from '../board.js'
import { endingOffers, mostViewedOffers, newestOffers, type Offer } from './offers.js'

const KEY = 'hot-lists'
const LENGTH = 6

/** The lists of the home page. */
export interface HotLists {
  readonly newest: readonly Offer[]
  readonly mostViewed: readonly Offer[]
  readonly ending: readonly Offer[]
  /** When they were computed, in milliseconds since the epoch. */
  readonly computedAt: number
}

/** Answers the hot lists, and whether they came from the cache. */
export async function hotLists({ cache, pool }: Board): Promise<HotLists & { cached: boolean }> {
  let cached = true
  const lists = await cache.getOrSet<HotLists>(KEY, async () => {
    cached = false
    const [newest, mostViewed, ending] = await Promise.all([
      newestOffers(pool, LENGTH),
      mostViewedOffers(pool, LENGTH),
      endingOffers(pool, LENGTH),
    ])
    return { newest, mostViewed, ending, computedAt: Date.now() }
  })
  return { ...lists, cached }
}

/**
 * Forgets the lists when the transaction commits. Another process that is computing them just then may still store what it read
 * before; the cache's TTL bounds how long that is shown.
 */
export async function forgetHotLists(cache: Cache, tx: Transaction): Promise<void> {
  await cache.delete(KEY, { client: tx })
}
