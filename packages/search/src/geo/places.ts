import { searchError } from '../errors.js'
import type { Definition } from '../options.js'
import type { ColumnType } from '../sql/describe-table.js'

/** The columns that say where a row is, in degrees: of type `double precision`, `real` or `numeric`. */
export interface PlaceColumns {
  /** Latitude, from -90 to 90. */
  readonly lat: string
  /** Longitude, from -180 to 180. */
  readonly lon: string
}

/** A place with its name. */
export interface Place extends PlaceColumns {
  readonly name: string
}

/** The type as {@link ColumnType} has it, quoted, for it is a word of SQL. */
export const NUMERIC = 'pg_catalog."numeric"'

const NUMBERS = ['pg_catalog.float8', 'pg_catalog.float4', NUMERIC]

/**
 * Checks the places of an index's options.
 *
 * @param column - checks the name of a column
 * @param taken - names that filters have
 * @throws {@link HowdahError} SEARCH_INVALID_OPTION
 */
export function resolvePlaces(
  geo: unknown,
  column: (name: unknown, option: string) => string,
  taken: readonly string[],
): Place[] {
  if (typeof geo !== 'object' || geo === null || Array.isArray(geo)) {
    throw invalid("geo must be an object: { place: { lat: 'latitude', lon: 'longitude' } }.")
  }
  return Object.entries(geo).map(([name, columns]) => {
    if (name === '' || name.startsWith('$') || name.includes('\0') || taken.includes(name)) {
      throw invalid(
        `geo: a place cannot be called '${name}'. Choose a name that is no filter's, without NUL, and does not begin with $.`,
      )
    }
    const { lat, lon } = (columns ?? {}) as Partial<PlaceColumns>
    return { name, lat: column(lat, `geo.${name}.lat`), lon: column(lon, `geo.${name}.lon`) }
  })
}

/**
 * Checks that the columns of places are numbers.
 *
 * @throws {@link HowdahError} SEARCH_INVALID_OPTION
 */
export function checkPlaces(
  { geo }: Definition,
  columns: Readonly<Record<string, ColumnType>>,
): void {
  for (const column of geo.flatMap(({ lat, lon }) => [lat, lon])) {
    const type = columns[column]?.type ?? ''
    if (NUMBERS.includes(type)) continue
    throw invalid(
      `geo: the column '${column}' is of type ${type}. It must be double precision, real or numeric.`,
    )
  }
}

function invalid(message: string) {
  return searchError('SEARCH_INVALID_OPTION', message)
}
