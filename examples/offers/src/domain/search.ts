import type { DatabaseSource } from '@howdah/core'
import { type FacetCount, SearchIndex, type SortColumn } from '@howdah/search'
import type { Board } from '../board.js'
import { type Offer, offersById } from './offers.js'

export const FACETS = ['category', 'institution', 'status'] as const
export type Facet = (typeof FACETS)[number]

export const SORTS = {
  best: { label: 'Best match', sort: undefined },
  newest: { label: 'Newest', sort: [{ column: 'published_at', order: 'desc' }] },
  ending: { label: 'Ending soon', sort: [{ column: 'ends_at', order: 'asc' }] },
  bonus: { label: 'Highest bonus', sort: [{ column: 'bonus', order: 'desc' }] },
} as const satisfies Record<string, { label: string; sort: readonly SortColumn[] | undefined }>
export type Sort = keyof typeof SORTS

export const PAGE_SIZE = 12

/** What a visitor asks for. */
export interface OfferQuery {
  readonly text: string
  /** For each facet the values that are allowed; none allows all. */
  readonly filters: Readonly<Record<Facet, readonly string[]>>
  readonly sort: Sort
  /** Counts from 1. */
  readonly page: number
}

/** What was found. */
export interface OfferResults {
  readonly total: number
  readonly offers: readonly Offer[]
  readonly facets: Readonly<Record<Facet, readonly FacetCount[]>>
}

/** The search index over the offer table; triggers keep it current in each writer's transaction. */
export function openSearch(pool: DatabaseSource): SearchIndex {
  return new SearchIndex('offers', {
    pool,
    table: 'offers_board.offer',
    key: 'id',
    fields: { title: { weight: 3 }, institution: { weight: 2 }, body: {} },
    facets: FACETS,
    sort: [{ column: 'published_at', order: 'desc' }, 'ends_at', 'bonus'],
  })
}

export async function searchOffers(
  { search, pool }: Board,
  { text, filters, sort, page }: OfferQuery,
): Promise<OfferResults> {
  const [found, ...counts] = await Promise.all([
    search.search(text, {
      filters: chosen(filters),
      sort: SORTS[sort].sort,
      limit: PAGE_SIZE,
      offset: (page - 1) * PAGE_SIZE,
    }),
    // A facet counts what its other values would find, so its own choice is left out.
    ...FACETS.map(async (facet) => {
      const others = chosen({ ...filters, [facet]: [] })
      const { facets } = await search.search(text, { filters: others, facets: [facet], limit: 0 })
      return [facet, facets[facet] ?? []] as const
    }),
  ])
  return {
    total: found.total,
    offers: await offersById(
      pool,
      found.hits.map((hit) => hit.key),
    ),
    facets: Object.fromEntries(counts) as OfferResults['facets'],
  }
}

function chosen(filters: OfferQuery['filters']): Partial<OfferQuery['filters']> {
  return Object.fromEntries(Object.entries(filters).filter(([, values]) => values.length > 0))
}
