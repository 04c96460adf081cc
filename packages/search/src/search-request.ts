import { searchError } from './errors.js'
import { type Facet, type FacetRequest, resolveFacets } from './facet/facet-request.js'
import type { Filter } from './filter/filter.js'
import { type FilterEntry, FilterReader } from './filter/filter-node.js'
import { isNearSort, type NearSort, type NearSorting, resolveNearSort } from './geo/near.js'
import {
  type HighlightOptions,
  type ResolvedHighlight,
  resolveHighlight,
} from './highlight/highlight-options.js'
import { type HybridOptions, type ResolvedHybrid, resolveHybrid } from './hybrid/hybrid-options.js'
import { type Definition, fieldsOf, type SortColumn, type Sorting, sortings } from './options.js'
import type { QueryMode } from './query/compile-query.js'
import { MAX_QUERY_CLAUSES } from './query/parse-query.js'
import { resolveTenant, type TenantValue } from './tenant/tenant-scope.js'

/** Options of {@link SearchIndex.search}. */
export interface SearchOptions {
  /**
   * Whose rows are searched, where the index has tenants: a value of their column. Must be given then, and only then.
   *
   * @defaultValue the tenant of `db.tenant(id)`, where the index was made with that
   */
  readonly tenant?: TenantValue | undefined
  /** Which rows may be found, by the values of their columns. */
  readonly filters?: Filter | undefined
  /** What to count over everything that matches query and filters, those at the top that are on the facet's own column left out. */
  readonly facets?: readonly Facet[] | undefined
  /** Hits to return, at most 1000. @defaultValue `10` */
  readonly limit?: number | undefined
  /** Hits to pass over. @defaultValue `0` */
  readonly offset?: number | undefined
  /** `next` of a page, to find the one after it with the same query, filters and sort. */
  readonly after?: string | undefined
  /** Whether a row must have all of the query's words, or any of them. @defaultValue `'any'` */
  readonly mode?: QueryMode | undefined
  /**
   * How many different words of the query a row must have at least; all, where the query has fewer. Holds for queries without `OR` in which
   * nothing is required: in mode `'any'`, without phrases and fields.
   *
   * @defaultValue `1`
   */
  readonly minimumMatch?: number | undefined
  /** Order of the hits. @defaultValue by score; to an empty query the order that the index names */
  readonly sort?: readonly (SortColumn | NearSort)[] | undefined
  /** Whether mistyped words also find what they were probably meant to be. @defaultValue `true` */
  readonly fuzzy?: boolean | undefined
  /** Whether the last word may be only the beginning of one, as while somebody types. @defaultValue `false` */
  readonly prefix?: boolean | undefined
  /**
   * Ranks by a vector, too: the ranks by words and by the distance of vectors are added up as reciprocals. Needs pgvector. An empty query, or
   * one whose words no row has, is ranked by vectors alone. Filters and excluded words hold for both.
   */
  readonly hybrid?: HybridOptions | undefined
  /** Shows fields of the hits as HTML with what was found marked. @defaultValue nothing is shown */
  readonly highlight?: HighlightOptions | true | undefined
}

/** {@link SearchOptions} checked against the index. */
export interface SearchRequest {
  /** Whose rows; undefined where the index has no tenants. */
  readonly tenant: string | undefined
  readonly mode: QueryMode
  readonly minimumMatch: number
  readonly facets: readonly FacetRequest[]
  /** What must hold, all of it. */
  readonly filters: readonly FilterEntry[]
  readonly limit: number
  readonly offset: number
  readonly after: string | undefined
  readonly sort: readonly (Sorting | NearSorting)[] | undefined
  readonly fuzzy: boolean
  readonly prefix: boolean
  readonly highlight: ResolvedHighlight | undefined
  readonly hybrid: ResolvedHybrid | undefined
}

const MAX_LIMIT = 1000
const MAX_OFFSET = 2 ** 31 - 1

/** @throws {@link HowdahError} SEARCH_INVALID_QUERY */
export function resolveRequest(
  definition: Definition,
  options: SearchOptions,
  tenantId: string | undefined,
): SearchRequest {
  if (typeof options !== 'object' || options === null)
    throw invalid('Pass the options as an object.')
  const {
    filters = {},
    facets = [],
    limit = 10,
    offset = 0,
    mode = 'any',
    minimumMatch = 1,
    sort,
  } = options
  const { fuzzy = true, prefix = false, highlight, after, hybrid } = options
  if (after !== undefined && (typeof after !== 'string' || offset !== 0)) {
    throw invalid('after must be `next` of the page before, and goes without offset.')
  }
  if (mode !== 'any' && mode !== 'all') throw invalid("mode must be 'any' or 'all'.")
  if (typeof fuzzy !== 'boolean' || typeof prefix !== 'boolean') {
    throw invalid('fuzzy and prefix must be true or false.')
  }
  const page = {
    limit: whole(limit, 'limit', MAX_LIMIT),
    offset: whole(offset, 'offset', MAX_OFFSET),
  }
  if (hybrid !== undefined && sort !== undefined) {
    throw invalid('hybrid decides the order of the hits; leave out sort.')
  }
  return {
    tenant: resolveTenant(definition, options.tenant, tenantId),
    mode,
    fuzzy,
    prefix,
    highlight:
      highlight === undefined ? undefined : resolveHighlight(highlight, fieldsOf(definition)),
    minimumMatch: whole(minimumMatch, 'minimumMatch', MAX_QUERY_CLAUSES),
    facets: resolveFacets(facets, definition.facets),
    filters: new FilterReader(definition.filters, definition.geo).entries(filters),
    ...page,
    after,
    hybrid: hybrid === undefined ? undefined : resolveHybrid(hybrid, page.limit + page.offset),
    sort: sort === undefined ? undefined : sorted(sort, definition),
  }
}

function sorted(
  sort: readonly (SortColumn | NearSort)[],
  definition: Definition,
): (Sorting | NearSorting)[] {
  const places = definition.geo.map(({ name }) => name)
  let asked: (Sorting | NearSorting)[]
  try {
    asked = Array.isArray(sort)
      ? sort.flatMap((one): (Sorting | NearSorting)[] =>
          isNearSort(one) ? [resolveNearSort(one, places)] : sortings([one], 'sort'),
        )
      : sortings(sort, 'sort')
  } catch (cause) {
    throw searchError('SEARCH_INVALID_QUERY', (cause as Error).message, { cause })
  }
  const columns = definition.sort.map(({ column }) => column)
  const nears = asked.flatMap((one) => ('near' in one ? [one.near] : []))
  if (new Set(nears).size < nears.length) throw invalid('sort may name a place only once.')
  known(
    asked.flatMap((one) => ('column' in one ? [one.column] : [])),
    columns,
    'sort',
  )
  return asked
}

function known(names: unknown, columns: readonly string[], option: string): string[] {
  if (!Array.isArray(names)) throw invalid(`${option} must be an array of column names.`)
  const unknown = names.find((name) => !columns.includes(name))
  if (unknown !== undefined) {
    throw invalid(
      `${option} names '${String(unknown).slice(0, 63)}', which is not among the ${option} of this index: ${columns.join(', ') || 'it has none'}.`,
    )
  }
  return names
}

function whole(value: unknown, option: string, max: number): number {
  if (!Number.isSafeInteger(value) || (value as number) < 0 || (value as number) > max) {
    throw invalid(`${option} must be a whole number from 0 to ${max}.`)
  }
  return value as number
}

function invalid(message: string) {
  return searchError('SEARCH_INVALID_QUERY', message)
}
