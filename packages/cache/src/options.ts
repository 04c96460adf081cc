import {
  type DatabaseSource,
  type Duration,
  parseDuration,
  type TransactionHandle,
} from '@howdah/core'
import { cacheError } from './errors.js'

/** Options of {@link Cache}. */
export interface CacheOptions {
  /** The application's pool, a PGlite, or a Howdah Database. We never end it. */
  readonly pool: DatabaseSource
  /** Keeps the keys of several caches on one database apart: up to 100 characters. @defaultValue `'default'` */
  readonly namespace?: string | undefined
  /** How long an entry lives when `set` does not say. @defaultValue forever */
  readonly ttl?: Duration | undefined
  /** Largest value stored, in bytes of its JSON text. @defaultValue `1048576` */
  readonly maxValueBytes?: number | undefined
}

/** Options of {@link Cache.set}. */
export interface SetOptions {
  /** How long the entry lives, by the database's clock. @defaultValue the cache's `ttl` */
  readonly ttl?: Duration | undefined
  /** A transaction to write in, so that the entry appears only if it commits. */
  readonly client?: TransactionHandle | undefined
}

/** Options of {@link Cache.delete}. */
export interface DeleteOptions {
  /** A transaction to delete in. */
  readonly client?: TransactionHandle | undefined
}

/** Options of {@link Cache.getOrSet}. */
export interface GetOrSetOptions {
  /** How long a loaded value lives. @defaultValue the cache's `ttl` */
  readonly ttl?: Duration | undefined
}

/** {@link CacheOptions} checked, with every default filled in. */
export interface ResolvedCacheOptions {
  readonly namespace: string
  readonly ttl: number | null
  readonly maxValueBytes: number
}

const MAX_NAMESPACE = 100

/** @throws {@link HowdahError} CACHE_INVALID_OPTION, CORE_INVALID_DURATION */
export function resolveOptions(options: CacheOptions): ResolvedCacheOptions {
  const { namespace = 'default', ttl, maxValueBytes = 1024 * 1024 } = options
  if (typeof namespace !== 'string' || namespace === '' || namespace.length > MAX_NAMESPACE) {
    throw invalid(`namespace must be a string of 1 to ${MAX_NAMESPACE} characters.`)
  }
  if (namespace.includes('\0') || /\p{Surrogate}/u.test(namespace)) {
    throw invalid('namespace must be well-formed text without NUL.')
  }
  if (!Number.isSafeInteger(maxValueBytes) || maxValueBytes < 1) {
    throw invalid('maxValueBytes must be a positive whole number.')
  }
  return Object.freeze({ namespace, ttl: resolveTtl(ttl) ?? null, maxValueBytes })
}

/** Milliseconds of a time to live; zero would be an entry that never was, so it is refused. */
export function resolveTtl(ttl: Duration | undefined): number | undefined {
  return ttl === undefined ? undefined : parseDuration(ttl, 'ttl', { min: 1 })
}

function invalid(message: string) {
  return cacheError('CACHE_INVALID_OPTION', message)
}
