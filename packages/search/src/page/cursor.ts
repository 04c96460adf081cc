/**
 * Where a page ends, as a string for the next one to begin after. It holds the last hit, not a number of rows to pass over, so that what is inserted or
 * removed above moves nothing: the page after it has what comes after that hit in the order of the moment.
 *
 * The score of a hit changes a little with every row that is written, as all scores do. So the place of the last hit is taken from its score of the moment, as long
 * as its row is the same; the score it had serves only once that row was changed or removed.
 */
import { createHash } from 'node:crypto'
import { searchError } from '../errors.js'
import type { Definition } from '../options.js'
import type { SearchRequest } from '../search-request.js'

/** The last hit of a page. */
export interface Position {
  /** Hits that came before the next page, this one included. */
  readonly passed: number
  readonly key: string
  /** Tells whether the row is still the same. */
  readonly digest: string
  readonly score: number
  /** Values of the columns that are sorted by, as text. */
  readonly sorts: readonly (string | null)[]
}

const VERSION = 1
const MAX_LENGTH = 1024 * 1024

/** What a cursor is bound to: the search, but for what may differ between pages. */
export function bindingOf(
  { name, sort: ownSort }: Definition,
  query: string,
  { mode, minimumMatch, fuzzy, prefix, filters, hybrid, tenant, sort = ownSort }: SearchRequest,
): string {
  const bound = [name, query, mode, minimumMatch, fuzzy, prefix, filters, sort, hybrid, tenant]
  return createHash('sha256').update(JSON.stringify(bound)).digest('base64url').slice(0, 16)
}

/** Makes the cursor of a page that ends with a hit. */
export function writeCursor(
  { passed, key, digest, score, sorts }: Position,
  binding: string,
): string {
  const parts = [VERSION, binding, passed, key, digest, score, sorts]
  return Buffer.from(JSON.stringify(parts)).toString('base64url')
}

/** @throws {@link HowdahError} SEARCH_INVALID_CURSOR */
export function readCursor(cursor: string, binding: string): Position {
  if (cursor.length > MAX_LENGTH || !/^[\w-]+$/.test(cursor)) throw invalidCursor()
  const parts = parsed(Buffer.from(cursor, 'base64url').toString())
  if (!Array.isArray(parts)) throw invalidCursor()
  const [version, bound, passed, key, digest, score, sorts] = parts
  if (typeof version === 'number' && version > VERSION) {
    throw searchError(
      'SEARCH_INVALID_CURSOR',
      'The cursor is of a newer version of this package. Begin with the first page.',
    )
  }
  const whole =
    version === VERSION &&
    Number.isSafeInteger(passed) &&
    passed >= 0 &&
    passed < 2 ** 31 &&
    isText(key) &&
    isText(digest) &&
    Number.isFinite(score) &&
    Array.isArray(sorts) &&
    sorts.every((value) => value === null || isText(value))
  if (!whole) throw invalidCursor()
  if (bound !== binding) {
    throw searchError(
      'SEARCH_INVALID_CURSOR',
      'The cursor is of another search. Give the query, filters and sort with which the page before was found, or begin with the first page.',
    )
  }
  return { passed, key, digest, score, sorts }
}

/** The error of a cursor that this package did not make. */
export function invalidCursor(cause?: unknown): Error {
  return searchError(
    'SEARCH_INVALID_CURSOR',
    'The cursor is none: give `next` of the page before as it was, or begin with the first page.',
    cause === undefined ? {} : { cause },
  )
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    return undefined
  }
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && !value.includes('\0') && !/\p{Surrogate}/u.test(value)
}
