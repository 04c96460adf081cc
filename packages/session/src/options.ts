import { type DatabaseSource, type Duration, HowdahError, parseDuration } from '@howdah/core'
import type { SessionErrorCode } from './errors.js'

/** Options of {@link Sessions}. */
export interface SessionsOptions {
  /** The application's pool, a PGlite, or a Database. We never end it. */
  readonly pool: DatabaseSource
  /** How long a session lives after its last save or touch when it names no time of its own. @defaultValue `'1d'` */
  readonly ttl?: Duration | undefined
  /** Largest session in bytes of JSON. @defaultValue `1048576` */
  readonly maxBytes?: number | undefined
  /**
   * How long a destroyed session is remembered as such. A request that loaded the session before it was destroyed and saves it
   * later than this would bring it back.
   *
   * @defaultValue `'1h'`
   */
  readonly tombstone?: Duration | undefined
  /**
   * How often each process removes expired rows; `false` leaves that to other processes.
   *
   * @defaultValue `'1m'`
   */
  readonly pruneInterval?: Duration | false | undefined
}

/** {@link SessionsOptions} with every default filled in, times in milliseconds. */
export interface ResolvedSessionsOptions {
  readonly ttl: number
  readonly maxBytes: number
  readonly tombstone: number
  readonly pruneInterval: number | false
}

/** @throws {@link HowdahError} SESSION_INVALID_OPTION, CORE_INVALID_DURATION */
export function resolveSessionsOptions(options: SessionsOptions): ResolvedSessionsOptions {
  if (typeof options !== 'object' || options === null) {
    throw sessionError('SESSION_INVALID_OPTION', 'Pass the options as an object: { pool }.')
  }
  const { ttl = '1d', maxBytes = 1_048_576, tombstone = '1h', pruneInterval = '1m' } = options
  if (!Number.isSafeInteger(maxBytes) || maxBytes < 1) {
    throw sessionError('SESSION_INVALID_OPTION', 'maxBytes must be a positive whole number.')
  }
  return Object.freeze({
    ttl: parseDuration(ttl, 'ttl', { min: 1 }),
    maxBytes,
    tombstone: parseDuration(tombstone, 'tombstone'),
    pruneInterval:
      pruneInterval === false ? false : parseDuration(pruneInterval, 'pruneInterval', { min: 1 }),
  })
}

/** Makes an error of this package. */
export function sessionError(
  code: SessionErrorCode,
  message: string,
  options?: ErrorOptions,
): HowdahError<SessionErrorCode> {
  return new HowdahError(code, message, options)
}
