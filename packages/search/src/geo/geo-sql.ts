import { ident, literal } from '@howdah/core'
import type { Definition, Sorting } from '../options.js'
import type { ColumnType } from '../sql/describe-table.js'
import { boundingBox, EARTH_RADIUS } from './bounding-box.js'
import type { Circle, NearSorting, Point } from './near.js'
import { NUMERIC, type Place } from './places.js'

/** Parameters of a {@link circleCondition}, and of a distance. */
const CIRCLE_PARAMETERS = 9
const POINT_PARAMETERS = 2

/** Added and taken away, it leaves degrees on a grid of some nanometres: PostgreSQL raises an error where a product of very small numbers would be 0. */
const GRID = 256

/** What of a search is about places, without its numbers: a statement is made for it. */
export interface GeoShape {
  /** Places that rows must be near to some point. */
  readonly circles: readonly string[]
  /** Places whose distance is asked for, each once. */
  readonly distances: readonly string[]
}

/** The numbers of a {@link GeoShape}. */
export interface GeoValues {
  readonly circles: readonly Circle[]
  /** For each of the distances the point that it is measured from. */
  readonly points: readonly Point[]
}

/** What a {@link GeoShape} is in a statement, on the application's table as `t`. */
export interface GeoSql {
  readonly conditions: readonly string[]
  /** In metres, in the order of the shape's distances. */
  readonly distances: readonly string[]
}

/** Divides what a search says about places into what its statement is made for, and its numbers. Where sorting and a filter measure from different points, the distances are those of the order. */
export function geoOf(
  circles: readonly Circle[],
  sort: readonly (Sorting | NearSorting)[],
): { readonly shape: GeoShape; readonly values: GeoValues } {
  const points = new Map<string, Point>()
  for (const by of sort) if ('near' in by) points.set(by.near, by)
  for (const circle of circles) if (!points.has(circle.place)) points.set(circle.place, circle)
  return {
    shape: { circles: circles.map(({ place }) => place), distances: [...points.keys()] },
    values: { circles, points: [...points.values()] },
  }
}

/** Renders what is about places, with parameters from `first` on. */
export function geoSql(
  { geo }: Definition,
  types: Readonly<Record<string, ColumnType>>,
  { circles, distances }: GeoShape,
  first: number,
): GeoSql {
  const placeOf = (name: string) => geo.find((place) => place.name === name) as Place
  const points = first + circles.length * CIRCLE_PARAMETERS
  return {
    conditions: circles.map((name, at) =>
      circleCondition(placeOf(name), types, first + at * CIRCLE_PARAMETERS),
    ),
    distances: distances.map((name, at) => distance(placeOf(name), points + at * POINT_PARAMETERS)),
  }
}

/** How many parameters {@link geoSql} takes. */
export function geoParameters({ circles, distances }: GeoShape): number {
  return circles.length * CIRCLE_PARAMETERS + distances.length * POINT_PARAMETERS
}

/** The parameters of what {@link geoSql} renders. */
export function geoValues({ circles, points }: GeoValues): (number | null)[] {
  return [...circles.flatMap(circleValues), ...points.flatMap(snapped)]
}

/** Whether a row is inside a circle, of which the parameters from `first` on are {@link circleValues}. Null or false where it is not. */
export function circleCondition(
  place: Place,
  types: Readonly<Record<string, ColumnType>>,
  first: number,
): string {
  const bound = (column: string, at: number) => {
    const parameter = `$${first + at}::double precision`
    // An index on a numeric column is of no use for other types; one on a real column is.
    return types[column]?.type === NUMERIC ? `${parameter}::numeric` : parameter
  }
  const lat = `t.${ident(place.lat)}`
  const lon = `t.${ident(place.lon)}`
  return `(${lat} between ${bound(place.lat, 3)} and ${bound(place.lat, 4)}
          and (${lon} between ${bound(place.lon, 5)} and ${bound(place.lon, 6)}
            or ${lon} between ${bound(place.lon, 7)} and ${bound(place.lon, 8)})
          and ${distance(place, first)} <= $${first + 2}::double precision)`
}

/** The parameters of a {@link circleCondition}. */
export function circleValues(circle: Circle): (number | null)[] {
  const { south, north, west, east, west2, east2 } = boundingBox(circle)
  return [...snapped(circle), circle.within, south, north, west, east, west2, east2]
}

function snapped({ lat, lon }: Point): [number, number] {
  return [lat + GRID - GRID, lon + GRID - GRID]
}

/** The part of a hit that says how far it is: to stand in `json_build_object`. */
export function distancesOf(places: readonly string[], columns: readonly string[]): string {
  const pairs = places.map((name, at) => `${literal(name)}, ${columns[at]}`)
  return places.length === 0
    ? ''
    : `, 'distances', jsonb_strip_nulls(jsonb_build_object(${pairs.join(', ')}))`
}

/**
 * Metres between a row and the point in two parameters, by the haversine formula; null for a row that is nowhere. The two squares are sums of what is
 * not negative, so that neither near points nor antipodes lose digits; that of `1 - a` would.
 */
function distance(place: Place, first: number): string {
  const column = { lat: `t.${ident(place.lat)}`, lon: `t.${ident(place.lon)}` }
  const lat = `(${column.lat}::double precision + ${GRID} - ${GRID})`
  const lon = `(${column.lon}::double precision + ${GRID} - ${GRID})`
  const half = {
    difference: `((${lat} - $${first}::double precision) / 2)`,
    sum: `((${lat} + $${first}::double precision) / 2)`,
    turn: `((${lon} - $${first + 1}::double precision) / 2)`,
  }
  const both = (one: string, other: string) => `(${one} * ${other}) ^ 2`
  const sine = `sqrt(${both(`sind${half.difference}`, `cosd${half.turn}`)} + ${both(`cosd${half.sum}`, `sind${half.turn}`)})`
  const cosine = `sqrt(${both(`cosd${half.difference}`, `cosd${half.turn}`)} + ${both(`sind${half.sum}`, `sind${half.turn}`)})`
  return `case when ${column.lat} between -90 and 90 and ${column.lon} between -180 and 180
          then ${2 * EARTH_RADIUS} * atan2(${sine}, ${cosine}) end`
}
