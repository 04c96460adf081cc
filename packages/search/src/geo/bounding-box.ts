import type { Circle } from './near.js'

/** Mean radius of the earth in metres. */
export const EARTH_RADIUS = 6_371_008.8

/** Degrees between which a circle lies. One that crosses the date line has a second range of longitudes. */
export interface BoundingBox {
  readonly south: number
  readonly north: number
  readonly west: number
  readonly east: number
  readonly west2: number | null
  readonly east2: number | null
}

/** Rounding must not cut a row off that the exact distance lets in; a metre more costs nothing. */
const MARGIN = 1e-5

/** The smallest box around a circle, for an index on the columns to find the few rows whose distance is worth computing. */
export function boundingBox({ lat, lon, within }: Omit<Circle, 'place'>): BoundingBox {
  const reach = degrees(within / EARTH_RADIUS) + MARGIN
  const south = Math.max(-90, lat - reach)
  const north = Math.min(90, lat + reach)
  const all = { south, north, west: -180, east: 180, west2: null, east2: null }
  // Around a pole there is every longitude.
  if (lat - reach <= -90 || lat + reach >= 90) return all
  const ratio = Math.sin(radians(reach)) / Math.cos(radians(lat))
  const aside = degrees(Math.asin(Math.min(1, ratio))) + MARGIN
  const west = lon - aside
  const east = lon + aside
  if (west <= -180) return { ...all, west: west + 360, west2: -180, east2: east }
  if (east >= 180) return { ...all, west, west2: -180, east2: east - 360 }
  return { ...all, west, east }
}

function degrees(angle: number): number {
  return (angle * 180) / Math.PI
}

function radians(angle: number): number {
  return (angle * Math.PI) / 180
}
