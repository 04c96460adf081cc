import { searchError } from '../errors.js'
import type { FilterValue } from '../filter/filter.js'
import { type Bounds, FilterReader } from '../filter/filter-node.js'

/** A range of values, from one on and below another; either may be left out. */
export interface FacetRange {
  readonly from?: Exclude<FilterValue, null> | undefined
  readonly to?: Exclude<FilterValue, null> | undefined
}

/** What to count: the values of a column, by its name, or how many rows have a value in each of some ranges. */
export type Facet = string | { readonly column: string; readonly ranges: readonly FacetRange[] }

/** A {@link Facet} checked against the index. */
export interface FacetRequest {
  readonly column: string
  /** The ranges as they were given, and their bounds; undefined where values are counted. */
  readonly ranges: readonly { readonly given: FacetRange; readonly bounds: Bounds }[] | undefined
}

const MAX_RANGES = 100

/** @throws {@link HowdahError} SEARCH_INVALID_QUERY */
export function resolveFacets(facets: unknown, columns: readonly string[]): FacetRequest[] {
  if (!Array.isArray(facets)) throw invalid('facets must be an array of columns.')
  const resolved = facets.map((facet: unknown): FacetRequest => {
    if (typeof facet === 'string') return { column: known(facet, columns), ranges: undefined }
    if (typeof facet !== 'object' || facet === null) throw invalid(SHAPE)
    const { column, ranges } = facet as Record<string, unknown>
    if (typeof column !== 'string' || !Array.isArray(ranges)) throw invalid(SHAPE)
    if (ranges.length === 0 || ranges.length > MAX_RANGES) {
      throw invalid(`A facet may have 1 to ${MAX_RANGES} ranges.`)
    }
    return { column: known(column, columns), ranges: ranges.map((range) => resolve(range, column)) }
  })
  const names = resolved.map(({ column }) => column)
  const twice = names.find((name, at) => names.indexOf(name) < at)
  if (twice !== undefined) throw invalid(`facets has '${twice}' twice.`)
  return resolved
}

function resolve(range: unknown, column: string) {
  if (typeof range !== 'object' || range === null) throw invalid(SHAPE)
  const reader = new FilterReader([], [])
  const { from, to } = range as FacetRange
  const bounds = {
    ...(from === undefined ? {} : { gte: reader.bound(from, column) }),
    ...(to === undefined ? {} : { lt: reader.bound(to, column) }),
  }
  return { given: range as FacetRange, bounds }
}

function known(column: string, columns: readonly string[]): string {
  if (columns.includes(column)) return column
  throw invalid(
    `facets names '${column.slice(0, 63)}', which is not among the facets of this index: ${columns.join(', ') || 'it has none'}.`,
  )
}

const SHAPE = "A facet must be a column's name or { column, ranges: [{ from, to }] }."

function invalid(message: string) {
  return searchError('SEARCH_INVALID_QUERY', message)
}
