import { type HowdahError, isHowdahError, sqlState } from '@howdah/core'
import { type CacheErrorCode, cacheError } from '../errors.js'

/** SQLSTATE of a lock that was not had in time. */
export const LOCK_NOT_AVAILABLE = '55P03'
/** SQLSTATE of a relation that does not exist. */
export const UNDEFINED_TABLE = '42P01'
const INSUFFICIENT_PRIVILEGE = '42501'
const DEPENDENT_OBJECTS = '2BP01'
const WRONG_OBJECT_TYPE = '42809'
const INVALID_SCHEMA = '3F000'

/** The server's own words. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** Says of an error while a view was made, replaced or removed what can be done; errors that no server sent stay as they are. */
export function whyNotBuilt(name: string, cause: unknown): unknown {
  const state = sqlState(cause)
  if (state === undefined || isHowdahError(cause)) return cause
  if (state === INSUFFICIENT_PRIVILEGE) return forbidden(name, cause)
  if (state === DEPENDENT_OBJECTS) {
    return cacheError(
      'CACHE_MATERIALIZED_IN_USE',
      `The view of the materialised query '${name}' cannot be replaced or removed while other views depend on it. Drop those first. The server says: ${messageOf(cause)}`,
      cause,
    )
  }
  return failed(name, messageOf(cause), cause)
}

/** Says of an error while triggers were made what can be done. */
export function whyNotTracked(name: string, cause: unknown): unknown {
  const state = sqlState(cause)
  const unknown = [UNDEFINED_TABLE, INVALID_SCHEMA, WRONG_OBJECT_TYPE]
  if (state === undefined || !unknown.includes(state)) return whyNotBuilt(name, cause)
  return cacheError(
    'CACHE_MATERIALIZED_UNKNOWN_TABLE',
    `refreshOn of the materialised query '${name}' names what is no table: ${messageOf(cause)}. Name tables with their schema; views cannot be tracked, but the tables under them can.`,
    cause,
  )
}

/** The error of a refresh that failed, here or in another process. */
export function failed(
  name: string,
  message: string,
  cause?: unknown,
): HowdahError<CacheErrorCode> {
  return cacheError(
    'CACHE_MATERIALIZED_FAILED',
    `The materialised query '${name}' failed, and its rows stay as they were: ${message}`,
    cause,
  )
}

function forbidden(name: string, cause: unknown) {
  return cacheError(
    'CACHE_MATERIALIZED_FORBIDDEN',
    `The role may not do what the materialised query '${name}' needs: ${messageOf(cause)}. It must be allowed to create in Howdah's schema, to read the tables of the query, to own the view, and to create triggers on the tables of refreshOn (grant trigger on table ... to ...).`,
    cause,
  )
}
