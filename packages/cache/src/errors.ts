import { HowdahError } from '@howdah/core'

/** Codes thrown by `@howdah/cache`. Each is explained in `docs/errors.md`. */
export type CacheErrorCode =
  | 'CACHE_INVALID_OPTION'
  | 'CACHE_INVALID_KEY'
  | 'CACHE_INVALID_VALUE'
  | 'CACHE_INVALID_TAG'
  | 'CACHE_INVALID_COUNTER'
  | 'CACHE_VALUE_TOO_LARGE'
  | 'CACHE_UNREADABLE_VALUE'
  | 'CACHE_LOAD_TIMEOUT'
  | 'CACHE_DURABILITY_CONFLICT'
  | 'CACHE_CLOSED'
  | 'CACHE_MATERIALIZED_INVALID'
  | 'CACHE_MATERIALIZED_UNKNOWN_TABLE'
  | 'CACHE_MATERIALIZED_FORBIDDEN'
  | 'CACHE_MATERIALIZED_IN_USE'
  | 'CACHE_MATERIALIZED_BUSY'
  | 'CACHE_MATERIALIZED_FAILED'

/** Makes an error of this package. */
export function cacheError(
  code: CacheErrorCode,
  message: string,
  cause?: unknown,
): HowdahError<CacheErrorCode> {
  return new HowdahError(code, message, cause === undefined ? undefined : { cause })
}
