import { type Duration, ident, isHowdahError, parseDuration } from '@howdah/core'
import { cacheError } from '../errors.js'

/** A table: `'name'`, `'schema.name'`, or its parts, none of them quoted. Without a schema it is one of `public`. */
export type MaterializedTable =
  | string
  | { readonly schema?: string | undefined; readonly table: string }

/** Options of {@link MaterializedQuery}. */
export interface MaterializedOptions {
  /**
   * Columns whose values together are different in every row. They make the unique index without which rows could not be replaced
   * while others read them.
   */
  readonly unique: string | readonly string[]
  /** Refreshes when the rows are so old by the database's clock. @defaultValue never */
  readonly refreshEvery?: Duration | undefined
  /**
   * Refreshes after a change to one of these tables, which triggers of ours notice. Not noticed are statements that name a partition
   * instead of its table, and changes by logical replication. @defaultValue none
   */
  readonly refreshOn?: readonly MaterializedTable[] | undefined
  /** How long to wait after a change for further ones. @defaultValue `'1s'` */
  readonly debounce?: Duration | undefined
  /** How long to wait at most after the first change while further ones come. @defaultValue five times `debounce` */
  readonly maxWait?: Duration | undefined
  /**
   * How long a refresh may take, and how long the first use may wait for locks, before it is given up. It replaces the
   * `statement_timeout` of the connection. @defaultValue `'10m'`
   */
  readonly timeout?: Duration | undefined
}

/** {@link MaterializedOptions} checked, with every default filled in; times in milliseconds, tables quoted. */
export interface ResolvedMaterializedOptions {
  readonly unique: readonly string[]
  readonly every: number | null
  readonly tables: readonly string[]
  readonly debounce: number
  readonly maxWait: number
  readonly timeout: number
}

/** An index has at most so many columns. */
const MAX_UNIQUE = 32
/** Below this a refresh every so often is a busy server. */
const SHORTEST_EVERY = 100
/** `statement_timeout` is an int. */
const LONGEST_TIMEOUT = 2 ** 31 - 1
const MAX_NAME = 100

/** @throws {@link HowdahError} CACHE_INVALID_OPTION, CORE_INVALID_DURATION */
export function resolveMaterialized(options: MaterializedOptions): ResolvedMaterializedOptions {
  if (typeof options !== 'object' || options === null) {
    throw invalid("Pass the options of a materialised query as an object: { unique: 'id' }.")
  }
  const { unique, refreshEvery, refreshOn = [], debounce = '1s', maxWait, timeout } = options
  if (!Array.isArray(refreshOn)) throw invalid('refreshOn must be an array of tables.')
  const debounceMs = parseDuration(debounce, 'debounce')
  return Object.freeze({
    unique: columns(unique),
    every:
      refreshEvery === undefined
        ? null
        : parseDuration(refreshEvery, 'refreshEvery', { min: SHORTEST_EVERY }),
    tables: Object.freeze([...new Set(refreshOn.map(tableName))].sort()),
    debounce: debounceMs,
    maxWait: parseDuration(maxWait ?? debounceMs * 5, 'maxWait', { min: debounceMs }),
    timeout: parseDuration(timeout ?? '10m', 'timeout', { min: 1, max: LONGEST_TIMEOUT }),
  })
}

/** @throws {@link HowdahError} CACHE_INVALID_OPTION */
export function checkedName(name: unknown): string {
  const usable =
    typeof name === 'string' &&
    name !== '' &&
    name.length <= MAX_NAME &&
    !name.includes('\0') &&
    !/\p{Surrogate}/u.test(name)
  if (usable) return name
  throw invalid(
    `The name of a materialised query must be well-formed text of 1 to ${MAX_NAME} characters without NUL.`,
  )
}

function columns(unique: unknown): readonly string[] {
  const names: unknown[] = Array.isArray(unique) ? unique : [unique]
  if (unique === undefined || names.length === 0 || names.length > MAX_UNIQUE) {
    throw invalid(
      'unique must name the columns that are different in every row. Rows can only be replaced while others read them if there are such columns.',
    )
  }
  const quoted = names.map((name) => quote(name, 'unique'))
  if (new Set(quoted).size < quoted.length) throw invalid('unique names a column twice.')
  return Object.freeze(quoted)
}

function tableName(value: unknown): string {
  if (typeof value === 'object' && value !== null) {
    const { schema = 'public', table } = value as { schema?: unknown; table?: unknown }
    return `${quote(schema, 'refreshOn')}.${quote(table, 'refreshOn')}`
  }
  const parts = typeof value === 'string' ? value.split('.') : []
  if (parts.length === 1) return `${quote('public', 'refreshOn')}.${quote(parts[0], 'refreshOn')}`
  if (parts.length === 2) return parts.map((part) => quote(part, 'refreshOn')).join('.')
  throw invalid(
    "A table in refreshOn must be 'name', 'schema.name', or { schema, table } where a name has dots in it.",
  )
}

function quote(name: unknown, option: string): string {
  try {
    return ident(name as string)
  } catch (cause) {
    if (!isHowdahError(cause)) throw cause
    throw cacheError('CACHE_INVALID_OPTION', `${option}: ${cause.message}`, cause)
  }
}

function invalid(message: string) {
  return cacheError('CACHE_INVALID_OPTION', message)
}
