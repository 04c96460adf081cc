import { ident, literal } from '@howdah/core'
import type { Definition, Sorting } from '../options.js'
import type { ColumnType } from '../sql/describe-table.js'
import { boundingBox, EARTH_RADIUS } from './bounding-box.js'
import type { Circle, NearSorting, Point } from './near.js'
import { NUMERIC, type Place } from './places.js'

/** Added and taken away, it leaves degrees on a grid of some nanometres: PostgreSQL raises an error where a product of very small numbers would be 0. */
const GRID = 256

/** Takes a value and answers what stands for it in a statement. */
type Add = (value: unknown) => string

/** For each place that is sorted by or filtered on the point that distances are measured from; where these differ, that of the order. */
export function measuredFrom(
  circles: readonly Circle[],
  sort: readonly (Sorting | NearSorting)[],
): Map<string, Point> {
  const points = new Map<string, Point>()
  for (const by of sort) if ('near' in by) points.set(by.near, by)
  for (const circle of circles)
    if (!points.has(circle.place.name)) points.set(circle.place.name, circle)
  return points
}

/** Metres between a row `t` and a point. */
export function distanceFrom({ geo }: Definition, name: string, point: Point, add: Add): string {
  return distance(geo.find((place) => place.name === name) as Place, point, add)
}

/** Whether a row `t` is inside a circle. Null or false where it is not. */
export function circleCondition(
  circle: Circle,
  types: Readonly<Record<string, ColumnType>>,
  add: Add,
): string {
  const { place, within } = circle
  const { south, north, west, east, west2, east2 } = boundingBox(circle)
  const bound = (column: string, value: number | null) => {
    const parameter = `${add(value)}::double precision`
    // An index on a numeric column is of no use for other types; one on a real column is.
    return types[column]?.type === NUMERIC ? `${parameter}::numeric` : parameter
  }
  const lat = `t.${ident(place.lat)}`
  const lon = `t.${ident(place.lon)}`
  return `(${lat} between ${bound(place.lat, south)} and ${bound(place.lat, north)}
          and (${lon} between ${bound(place.lon, west)} and ${bound(place.lon, east)}
            or ${lon} between ${bound(place.lon, west2)} and ${bound(place.lon, east2)})
          and ${distance(place, circle, add)} <= ${add(within)}::double precision)`
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
function distance(place: Place, point: Point, add: Add): string {
  const from = snapped(point).map((degrees) => `${add(degrees)}::double precision`)
  const column = { lat: `t.${ident(place.lat)}`, lon: `t.${ident(place.lon)}` }
  const lat = `(${column.lat}::double precision + ${GRID} - ${GRID})`
  const lon = `(${column.lon}::double precision + ${GRID} - ${GRID})`
  const half = {
    difference: `((${lat} - ${from[0]}) / 2)`,
    sum: `((${lat} + ${from[0]}) / 2)`,
    turn: `((${lon} - ${from[1]}) / 2)`,
  }
  const both = (one: string, other: string) => `(${one} * ${other}) ^ 2`
  const sine = `sqrt(${both(`sind${half.difference}`, `cosd${half.turn}`)} + ${both(`cosd${half.sum}`, `sind${half.turn}`)})`
  const cosine = `sqrt(${both(`cosd${half.difference}`, `cosd${half.turn}`)} + ${both(`sind${half.sum}`, `sind${half.turn}`)})`
  return `case when ${column.lat} between -90 and 90 and ${column.lon} between -180 and 180
          then ${2 * EARTH_RADIUS} * atan2(${sine}, ${cosine}) end`
}
