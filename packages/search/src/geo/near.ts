import { searchError } from '../errors.js'
import type { Place } from './places.js'

/** A point on the globe, in degrees. */
export interface Point {
  /** From -90 to 90. */
  readonly lat: number
  /** From -180 to 180. */
  readonly lon: number
}

/** A filter for rows that are no farther than so many metres from a point. Rows without coordinates, or with some that are not on the globe, never are. */
export interface NearFilter {
  readonly near: Point
  /** In metres, over 0. */
  readonly within: number
}

/** Sorts by the distance from a point. Rows that are nowhere come last. */
export interface NearSort extends Point {
  /** The name of a place of the index. */
  readonly near: string
  /** @defaultValue `'asc'`, the nearest first */
  readonly order?: 'asc' | 'desc' | undefined
}

/** A {@link NearFilter} that was checked. */
export interface Circle extends Point {
  readonly place: Place
  readonly within: number
}

/** A {@link NearSort} that was checked. */
export interface NearSorting extends Point {
  readonly near: string
  readonly order: 'asc' | 'desc'
}

/** @throws {@link HowdahError} SEARCH_INVALID_QUERY */
export function resolveCircle(place: Place, filter: unknown): Circle {
  const { name } = place
  const { near, within } = (
    typeof filter === 'object' && filter !== null ? filter : {}
  ) as Partial<NearFilter>
  if (typeof within !== 'number' || !(within > 0 && within < Number.POSITIVE_INFINITY)) {
    throw invalid(
      `The filter on '${name}' must be { near: { lat, lon }, within }, with within in metres, over 0.`,
    )
  }
  return { place, ...point(near, `The filter on '${name}'`), within }
}

/** @throws {@link HowdahError} SEARCH_INVALID_QUERY */
export function resolveNearSort(sort: NearSort, places: readonly string[]): NearSorting {
  const { near, order = 'asc' } = sort
  if (!places.includes(near)) {
    throw invalid(
      `sort names the place '${String(near).slice(0, 63)}', which is not among those of this index: ${places.join(', ') || 'it has none'}.`,
    )
  }
  if (order !== 'asc' && order !== 'desc')
    throw invalid("The order in sort must be 'asc' or 'desc'.")
  return { near, ...point(sort, `The sort by '${near}'`), order }
}

/** Whether an entry of `sort` is by distance. */
export function isNearSort(sort: unknown): sort is NearSort {
  return typeof sort === 'object' && sort !== null && 'near' in sort
}

function point(given: unknown, where: string): Point {
  const { lat, lon } = (typeof given === 'object' && given !== null ? given : {}) as Partial<Point>
  if (!isWithin(lat, 90) || !isWithin(lon, 180)) {
    throw invalid(`${where} needs lat, a number from -90 to 90, and lon, from -180 to 180.`)
  }
  return { lat, lon }
}

function isWithin(value: unknown, most: number): value is number {
  return typeof value === 'number' && value >= -most && value <= most
}

function invalid(message: string) {
  return searchError('SEARCH_INVALID_QUERY', message)
}
