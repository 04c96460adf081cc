import type { FacetRange } from './facet/facet-request.js'
import type { Understood } from './query/understood.js'
import type { SearchRequest } from './search-request.js'
import type { SearchRow } from './sql/searched.js'

/** One row that was found. */
export interface SearchHit<Row> {
  /** The row's key, as PostgreSQL writes it as text. */
  readonly key: string
  /** BM25 score; 0 where the query has no words. With `hybrid` the sum of the reciprocals of both ranks. */
  readonly score: number
  /** The row as it is now, as PostgreSQL's `to_jsonb` gives it: times are strings, and numbers beyond 2^53 lose digits. */
  readonly row: Row
  /** With `hybrid`: which place the row has in each ranking, from 1; nothing where it is not among the candidates. */
  readonly ranks?: { readonly words?: number; readonly vector?: number }
  /** With a filter or sort by distance: for each place that was asked for how many metres it is away; nothing for one that the row does not have. */
  readonly distances?: Readonly<Record<string, number>>
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
  /** How many rows match, on all pages together; with `hybrid`, how many are among the candidates of either ranking. */
  readonly total: number
  readonly hits: readonly SearchHit<Row>[]
  /** The `after` of the next page; undefined on the last one. */
  readonly next: string | undefined
  /** For each facet that was asked for its values, the most frequent first, at most 100; or its ranges, as they were given. */
  readonly facets: Readonly<Record<string, readonly FacetCount[]>>
  /** What was searched besides what was typed: corrections of it, synonyms, and completions of beginnings. */
  readonly understood: readonly Understood[]
  /** The query with its corrections put in; undefined where there are none. */
  readonly didYouMean: string | undefined
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
    next: undefined,
    understood: [],
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
    const valued = () => (counts as FacetCount[]).map(({ value, count }) => ({ value, count }))
    return [column, ranged ?? valued()] as const
  })
  return {
    total: Number(row.total),
    hits: row.hits as unknown as SearchHit<Row>[],
    facets: Object.fromEntries(counted) as SearchResult<Row>['facets'],
  }
}
