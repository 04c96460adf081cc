import { type DatabaseSource, ident, isHowdahError } from '@howdah/core'
import { ENGINE_NAMES, type EngineName } from './engine/engine-name.js'
import { searchError } from './errors.js'
import { CONNECTIVES } from './filter/filter-node.js'
import { type Place, type PlaceColumns, resolvePlaces } from './geo/places.js'
import { type QueryLogOptions, type ResolvedLog, resolveLog } from './log/log-options.js'
import type { TenantColumn } from './tenant/tenant-column.js'

/** A table by schema and name, each taken as it is. */
export interface TableName {
  /** @defaultValue `'public'` */
  readonly schema?: string | undefined
  readonly name: string
}

/** How one column takes part in a search. */
export interface FieldOptions {
  /** How much a word in this column counts against one in a column of weight 1. @defaultValue `1` */
  readonly weight?: number | undefined
}

/** A column to sort by; a bare name sorts in ascending order. Nulls come last. */
export type SortColumn = string | { readonly column: string; readonly order?: 'asc' | 'desc' }

/** Options of {@link SearchIndex}. */
export interface SearchIndexOptions {
  /** The application's pool, a PGlite, or a Database. We never end it. */
  readonly pool: DatabaseSource
  /** The application's table, as `'schema.table'`, as a table in `public`, or as an object for names with dots. */
  readonly table: string | TableName
  /** The column that identifies a row: of any type, alone in a primary key or unique constraint. */
  readonly key: string
  /** The columns to search, of any type that casts to text, with at most four different weights. */
  readonly fields: Readonly<Record<string, FieldOptions>>
  /** Columns whose values can be counted. @defaultValue `[]` */
  readonly facets?: readonly string[] | undefined
  /** Columns that can be filtered on, besides the facets. @defaultValue `[]` */
  readonly filters?: readonly string[] | undefined
  /** Columns that can be sorted by; also the order, one after the other, of results to an empty query. @defaultValue `[]` */
  readonly sort?: readonly SortColumn[] | undefined
  /** Places of a row by a name, for filters and sorting by distance: `{ place: { lat: 'latitude', lon: 'longitude' } }`. @defaultValue `{}` */
  readonly geo?: Readonly<Record<string, PlaceColumns>> | undefined
  /** The text search configuration, as `'english'` (of `pg_catalog`) or as an object. @defaultValue `'english'` */
  readonly language?: string | TableName | undefined
  /**
   * The column that says whose a row is, where several customers' rows share the table: each search is then one of a single tenant, and looks at, counts,
   * scores by and corrects from the rows of that tenant alone. Rows without a value are nobody's. With the engine native only.
   *
   * @defaultValue all rows are one whole
   */
  readonly tenant?: string | TenantColumn | undefined
  /** Takes letters with accents for those without, by the extension `unaccent`, which must be installed. @defaultValue `false` */
  readonly unaccent?: boolean | undefined
  /**
   * Keeps a log of what is searched for, read by `queries`: as it was typed, or hashed. Texts of queries may be personal.
   *
   * @defaultValue none is kept
   */
  readonly log?: QueryLogOptions['text'] | QueryLogOptions | undefined
  /**
   * What keeps the words: `'native'`, our own tables; `'tsvector'`, columns of the table itself, for small data; `'pg_textsearch'` or
   * `'pg_search'`, extensions that must be installed. `docs/search-engines.md` says what each can do. `rebuild()` moves an index to another one.
   *
   * With `'tsvector'`, `attach()` and `rebuild()` rewrite the table, and nobody can read or write it meanwhile. With the extensions, writes wait
   * until it is indexed. **`'pg_search'` was written to its documentation and has not been run against the extension.**
   *
   * @defaultValue `'native'`
   */
  readonly engine?: EngineName | undefined
}

/** A {@link SortColumn} with its order. */
export interface Sorting {
  readonly column: string
  readonly order: 'asc' | 'desc'
}

/** {@link SearchIndexOptions} validated and in one form. */
export interface Definition {
  readonly name: string
  readonly table: { readonly schema: string; readonly name: string }
  readonly key: string
  /** Columns by weight, heaviest first, each by itself where there are few; PostgreSQL's weight classes A to D stand for them in this order. */
  readonly classes: readonly { readonly weight: number; readonly columns: readonly string[] }[]
  readonly facets: readonly string[]
  /** Everything that can be filtered on, facets included. */
  readonly filters: readonly string[]
  readonly sort: readonly Sorting[]
  readonly geo: readonly Place[]
  readonly language: { readonly schema: string; readonly name: string }
  readonly unaccent: boolean
  readonly tenant: Required<TenantColumn> | undefined
  readonly log: ResolvedLog | undefined
  readonly engine: EngineName
}

/** The columns that are searched. */
export function fieldsOf({ classes }: Definition): string[] {
  return classes.flatMap((group) => group.columns)
}

const MAX_NAME = 200
/** PostgreSQL's `tsvector` tells this many weights apart. */
const MAX_WEIGHTS = 4
/** A function call of PostgreSQL takes 100 arguments, and each facet is one. */
const MAX_FACETS = 50

/** @throws {@link HowdahError} SEARCH_INVALID_OPTION */
export function resolveDefinition(name: string, options: SearchIndexOptions): Definition {
  if (typeof name !== 'string' || name === '' || name.length > MAX_NAME || !isText(name)) {
    throw invalid(`The name of an index must be a string of 1 to ${MAX_NAME} characters.`)
  }
  if (typeof options !== 'object' || options === null) {
    throw invalid('Pass the options as an object: { pool, table, key, fields }.')
  }
  const { table, key, fields, facets = [], filters = [], sort = [] } = options
  const { language = 'english', unaccent = false, tenant } = options
  const { engine = 'native', geo = {} } = options
  if (typeof unaccent !== 'boolean') throw invalid('unaccent must be true or false.')
  if (!ENGINE_NAMES.includes(engine)) {
    throw invalid(`engine must be one of ${ENGINE_NAMES.map((one) => `'${one}'`).join(', ')}.`)
  }
  const facetColumns = columns(facets, 'facets')
  const filterColumns = [...new Set([...facetColumns, ...columns(filters, 'filters')])]
  const taken = filterColumns.find((one) => CONNECTIVES.includes(one))
  if (taken !== undefined) {
    throw invalid(
      `A column named '${taken}' cannot be filtered on: filters have that name for something else.`,
    )
  }
  if (facetColumns.length > MAX_FACETS) {
    throw invalid(`An index may have at most ${MAX_FACETS} facets.`)
  }
  return Object.freeze({
    name,
    table: qualified(table, 'table', 'public'),
    key: column(key, 'key'),
    classes: classes(fields),
    facets: facetColumns,
    filters: filterColumns,
    sort: sortings(sort, 'sort'),
    geo: resolvePlaces(geo, column, filterColumns),
    language: qualified(language, 'language', 'pg_catalog'),
    unaccent,
    tenant: tenant === undefined ? undefined : tenantColumn(tenant),
    log: resolveLog(options.log),
    engine,
  })
}

/** @throws {@link HowdahError} SEARCH_INVALID_OPTION */
function classes(fields: unknown): Definition['classes'] {
  if (typeof fields !== 'object' || fields === null || Object.keys(fields).length === 0) {
    throw invalid('fields must name at least one column: { title: { weight: 2 }, body: {} }.')
  }
  const byWeight = new Map<number, string[]>()
  for (const [name, options] of Object.entries(fields)) {
    const weight = (options as FieldOptions | null | undefined)?.weight ?? 1
    if (typeof weight !== 'number' || !(weight >= 0.001 && weight <= 1000)) {
      throw invalid(`The weight of the field '${name}' must be a number from 0.001 to 1000.`)
    }
    const same = byWeight.get(weight) ?? []
    byWeight.set(weight, [...same, column(name, 'fields')])
  }
  if (byWeight.size > MAX_WEIGHTS) {
    throw invalid(`fields may have at most ${MAX_WEIGHTS} different weights. Make some equal.`)
  }
  const groups = [...byWeight]
    .sort(([a], [b]) => b - a)
    .map(([weight, names]) => ({ weight, columns: names.sort() }))
  if (Object.keys(fields).length > MAX_WEIGHTS) return groups
  // Each by itself, so that `field:word` tells them apart.
  return groups.flatMap(({ weight, columns }) => columns.map((one) => ({ weight, columns: [one] })))
}

/** @throws {@link HowdahError} SEARCH_INVALID_OPTION */
export function sortings(sort: unknown, option: string): Sorting[] {
  if (!Array.isArray(sort)) throw invalid(`${option} must be an array of columns.`)
  return sort.map((entry: SortColumn) => {
    const { column: name, order = 'asc' } =
      typeof entry === 'string' ? { column: entry } : (entry ?? {})
    if (order !== 'asc' && order !== 'desc')
      throw invalid(`The order in ${option} must be 'asc' or 'desc'.`)
    return { column: column(name, option), order }
  })
}

/** @throws {@link HowdahError} SEARCH_INVALID_OPTION */
function tenantColumn(tenant: unknown): Required<TenantColumn> {
  const { column: name, policies = 'rows' } =
    typeof tenant === 'string' ? { column: tenant } : ((tenant ?? {}) as Partial<TenantColumn>)
  if (policies !== 'tenant' && policies !== 'rows') {
    throw invalid("policies of the option tenant must be 'tenant' or 'rows'.")
  }
  return Object.freeze({ column: column(name, 'tenant'), policies })
}

function columns(names: unknown, option: string): string[] {
  if (!Array.isArray(names)) throw invalid(`${option} must be an array of column names.`)
  return [...new Set(names.map((name) => column(name, option)))]
}

function column(name: unknown, option: string): string {
  return checked(name, option)
}

function qualified(
  value: unknown,
  option: string,
  schema: string,
): { readonly schema: string; readonly name: string } {
  if (typeof value === 'object' && value !== null) {
    const table = value as TableName
    return { schema: checked(table.schema ?? schema, option), name: checked(table.name, option) }
  }
  const parts = typeof value === 'string' ? value.split('.') : []
  if (parts.length === 1) return { schema, name: checked(parts[0], option) }
  if (parts.length === 2)
    return { schema: checked(parts[0], option), name: checked(parts[1], option) }
  throw invalid(`${option} must be 'schema.name', or { schema, name } where a name has dots in it.`)
}

function checked(name: unknown, option: string): string {
  try {
    ident(name as string)
    return name as string
  } catch (cause) {
    if (!isHowdahError(cause)) throw cause
    throw searchError('SEARCH_INVALID_OPTION', `${option}: ${cause.message}`, { cause })
  }
}

/** Whether PostgreSQL can hold the string, and holds it as it is. */
function isText(text: string): boolean {
  return !text.includes('\0') && !/\p{Surrogate}/u.test(text)
}

function invalid(message: string) {
  return searchError('SEARCH_INVALID_OPTION', message)
}
