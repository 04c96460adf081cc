import type { FillProgress } from './attach.js'
import type { FacetRange } from './facet/facet-request.js'
import type { Correction } from './query/query-plan.js'
import type { SearchRequest } from './search-request.js'
import type { SearchRow } from './sql/searched.js'

/** One row that was found. */
export interface SearchHit<Row> {
  /** The row's key, as PostgreSQL writes it as text. */
  readonly key: string
  /** BM25 score; 0 where the query has no words. */
  readonly score: number
  /** The row as it is now, as PostgreSQL's `to_jsonb` gives it: times are strings, and numbers beyond 2^53 lose digits. */
  readonly row: Row
  /** With `highlight`: fields as HTML, escaped, with marks around what was found. */
  readonly highlights?: Readonly<Record<string, string>>
}

/** How many of the rows that match have a value, or have one in a range. */
export interface FacetCount extends FacetRange {
  /** Not there where ranges were asked for. */
  readonly value?: string | number | boolean
  readonly count: number
}

/** What a search answers. */
export interface SearchResult<Row> {
  /** How many rows match, on all pages together. */
  readonly total: number
  readonly hits: readonly SearchHit<Row>[]
  /** For each facet that was asked for its values, the most frequent first, at most 100; or its ranges, as they were given. */
  readonly facets: Readonly<Record<string, readonly FacetCount[]>>
  /** Words that no row has, or hardly one, with the words that were searched besides. */
  readonly corrections: readonly Correction[]
  /** The query with its corrections put in; undefined where there are none. */
  readonly didYouMean: string | undefined
}

/** How an index stands. */
export interface SearchIndexStatus {
  readonly documents: number
  /** Those among them that are not in a segment yet, and versions that are no more; searches look at each. */
  readonly hot: number
  readonly segments: number
  /** How far the rows that were there before the index have come; undefined once all are in. */
  readonly filling: FillProgress | undefined
  /** Rows of which only the beginning is indexed, and why: the first 100. */
  readonly partial: readonly { readonly key: string; readonly problem: string }[]
  /** Writes the index could not follow, so that it needs `rebuild()`: the first 100. */
  readonly errors: readonly { readonly at: Date; readonly code: string; readonly message: string }[]
}

/** The answer where there is nothing to tell. */
export function nothingFound<Row>({ facets }: SearchRequest): SearchResult<Row> {
  const counts = facets.map(({ column, ranges }) => [
    column,
    ranges?.map(({ given }) => ({ ...given, count: 0 })) ?? [],
  ])
  return {
    total: 0,
    hits: [],
    facets: Object.fromEntries(counts),
    corrections: [],
    didYouMean: undefined,
  }
}

/** What a row of the database says of a search. */
export function resultOf<Row>(
  row: SearchRow,
  request: SearchRequest,
): Pick<SearchResult<Row>, 'total' | 'hits' | 'facets'> {
  const counted = request.facets.map(({ column, ranges }, at) => {
    const counts = row.facets[at] ?? []
    const ranged = ranges?.map(({ given }, which) => ({ ...given, count: counts[which] }))
    return [column, ranged ?? counts] as const
  })
  return {
    total: Number(row.total),
    hits: row.hits as unknown as SearchHit<Row>[],
    facets: Object.fromEntries(counted) as SearchResult<Row>['facets'],
  }
}
