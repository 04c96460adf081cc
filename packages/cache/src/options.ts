import {
  type DatabaseSource,
  type Duration,
  parseDuration,
  type TransactionHandle,
} from '@howdah/core'
import { cacheError } from './errors.js'
import {
  type NearOptions,
  type ResolvedNearOptions,
  resolveNearOptions,
} from './near/near-options.js'
import type { CacheCodec, EncodingOptions } from './value.js'

/** Options of {@link Cache}. */
export interface CacheOptions {
  /** The application's pool, a PGlite, or a Howdah Database. We never end it. */
  readonly pool: DatabaseSource
  /** Keeps the keys of several caches on one database apart: up to 512 bytes. @defaultValue `'default'` */
  readonly namespace?: string | undefined
  /** How long an entry lives when a write does not say; `null` for ever. @defaultValue `null` */
  readonly ttl?: Duration | null | undefined
  /** Makes reads prolong an entry's life: it then ends `ttl` after the last read, to a tenth of it. @defaultValue `false` */
  readonly sliding?: boolean | undefined
  /** Part of each `ttl` taken off at random, so that what was written together does not expire together. @defaultValue `0` */
  readonly jitter?: number | undefined
  /** Largest value stored, in bytes before compression. @defaultValue 1 MiB */
  readonly maxValueBytes?: number | undefined
  /** Compresses values of more bytes than `above`, with deflate. @defaultValue nothing is compressed */
  readonly compress?: { readonly above: number } | undefined
  /** Encodes values in the application's own way, such as with superjson. Every process on the namespace needs the same. */
  readonly codec?: CacheCodec | undefined
  /**
   * `'unlogged'` entries cost no WAL, are gone after a crash of the server and on a standby that takes over; `'logged'` ones
   * stay. A namespace is one or the other from its first use on.
   *
   * @defaultValue `'unlogged'`
   */
  readonly durability?: 'unlogged' | 'logged' | undefined
  /** Bytes of entries the namespace may hold; those not used for longest go first. @defaultValue no limit */
  readonly maxBytes?: number | undefined
  /** Entries the namespace may hold. @defaultValue no limit */
  readonly maxEntries?: number | undefined
  /** Keeps what was read in the memory of this process, up to `maxStale` behind the database. @defaultValue it is not kept */
  readonly near?: NearOptions | undefined
  /** How reads are made that do not say. @defaultValue `'near'` */
  readonly consistency?: Consistency | undefined
}

/**
 * `'near'` reads may be answered from the memory of this process, if the cache keeps anything there; `'strong'` ones come from the
 * database, and see every write that was acknowledged before.
 */
export type Consistency = 'near' | 'strong'

/** Options of reads. */
export interface GetOptions {
  /** Whether memory may answer. With a client it never does. @defaultValue the cache's `consistency` */
  readonly consistency?: Consistency | undefined
  /** A transaction to read in, so that its own writes are seen. */
  readonly client?: TransactionHandle | undefined
}

/** Options of writes of a value. */
export interface SetOptions {
  /** How long the entry lives, by the database's clock; `null` for ever. @defaultValue the cache's `ttl` */
  readonly ttl?: Duration | null | undefined
  /** Whether reads prolong its life. @defaultValue the cache's `sliding` */
  readonly sliding?: boolean | undefined
  /** How long after its end `getOrSet` may still serve it while a new value is loaded. @defaultValue `0` */
  readonly grace?: Duration | undefined
  /** Names by which {@link Cache.invalidateTags} can forget it. */
  readonly tags?: readonly string[] | undefined
  /** A transaction to write in, so that the entry appears only if it commits. */
  readonly client?: TransactionHandle | undefined
}

/** Options of {@link Cache.delete} and other writes without a value. */
export interface WriteOptions {
  /** A transaction to write in. */
  readonly client?: TransactionHandle | undefined
}

/** Options of {@link Cache.increment} and {@link Cache.decrement}. */
export interface IncrementOptions extends WriteOptions {
  /** How long a counter lives that this call starts; one that is there keeps its time. @defaultValue the cache's `ttl` */
  readonly ttl?: Duration | null | undefined
}

/** Options of {@link Cache.getOrSet}. */
export interface GetOrSetOptions {
  /** Whether memory may answer. @defaultValue the cache's `consistency` */
  readonly consistency?: Consistency | undefined
  /** How long a loaded value lives. @defaultValue the cache's `ttl` */
  readonly ttl?: Duration | null | undefined
  /** How long a loaded `null` or `undefined` lives. @defaultValue as other values */
  readonly negativeTtl?: Duration | null | undefined
  /** Whether reads prolong its life. @defaultValue the cache's `sliding` */
  readonly sliding?: boolean | undefined
  /** How long after its end the old value may be served while a new one is loaded, or cannot be. @defaultValue `0` */
  readonly grace?: Duration | undefined
  /** How long to wait for the loader before an old value within its grace is answered. @defaultValue `0` */
  readonly softTimeout?: Duration | undefined
  /** How long the loader may take: then its signal aborts, and those who wait get CACHE_LOAD_TIMEOUT. @defaultValue no limit */
  readonly hardTimeout?: Duration | undefined
  /** Names by which {@link Cache.invalidateTags} can forget the value. */
  readonly tags?: readonly string[] | undefined
}

/** {@link CacheOptions} checked, with every default filled in. */
export interface ResolvedCacheOptions extends EncodingOptions {
  readonly namespace: string
  readonly ttl: number | null
  readonly sliding: boolean
  readonly jitter: number
  readonly logged: boolean
  readonly maxBytes: number | null
  readonly maxEntries: number | null
  readonly near: ResolvedNearOptions | undefined
  readonly strong: boolean
}

const MAX_NAMESPACE_BYTES = 512
const MAX_TAGS = 128

/** @throws {@link HowdahError} CACHE_INVALID_OPTION, CORE_INVALID_DURATION */
export function resolveOptions(options: CacheOptions): ResolvedCacheOptions {
  const { namespace = 'default', ttl = null, sliding = false, jitter = 0, codec } = options
  const { maxValueBytes = 1024 * 1024, compress, durability = 'unlogged' } = options
  const { near, consistency } = options
  assertNamespace(namespace)
  if (typeof sliding !== 'boolean') throw invalid('sliding must be true or false.')
  if (!(typeof jitter === 'number' && jitter >= 0 && jitter < 1)) {
    throw invalid('jitter must be a number from 0 to below 1.')
  }
  if (durability !== 'unlogged' && durability !== 'logged') {
    throw invalid("durability must be 'unlogged' or 'logged'.")
  }
  const methods = [codec?.encode, codec?.decode]
  if (codec !== undefined && methods.some((method) => typeof method !== 'function')) {
    throw invalid('codec must have the methods encode() and decode().')
  }
  return Object.freeze({
    namespace,
    ttl: resolveTtl(ttl) ?? null,
    sliding,
    jitter,
    codec,
    maxValueBytes: positive('maxValueBytes', maxValueBytes),
    compressAbove: compress === undefined ? Infinity : positive('compress.above', compress?.above),
    logged: durability === 'logged',
    maxBytes: options.maxBytes === undefined ? null : positive('maxBytes', options.maxBytes),
    maxEntries:
      options.maxEntries === undefined ? null : positive('maxEntries', options.maxEntries),
    near: near === undefined ? undefined : resolveNearOptions(near),
    strong: isStrong(consistency, false),
  })
}

/** @throws {@link HowdahError} CACHE_INVALID_OPTION */
export function isStrong(consistency: Consistency | undefined, byDefault: boolean): boolean {
  if (consistency === undefined) return byDefault
  if (consistency === 'strong' || consistency === 'near') return consistency === 'strong'
  throw invalid("consistency must be 'near' or 'strong'.")
}

/** Milliseconds of a time to live; zero would be an entry that never was, so it is refused. */
export function resolveTtl(ttl: Duration | null | undefined): number | null | undefined {
  return ttl === undefined || ttl === null ? ttl : parseDuration(ttl, 'ttl', { min: 1 })
}

/** @throws {@link HowdahError} CACHE_INVALID_TAG */
export function checkTags(tags: readonly string[]): readonly string[] {
  if (!Array.isArray(tags) || tags.length > MAX_TAGS || !tags.every(isTag)) {
    throw cacheError(
      'CACHE_INVALID_TAG',
      `Tags must be a list of up to ${MAX_TAGS} strings, none of them empty.`,
    )
  }
  // JSON keeps what text cannot: NUL and lone surrogates come out escaped.
  return tags.map((tag) => (isSayable(tag) ? tag : JSON.stringify(tag)))
}

/** @throws {@link HowdahError} CACHE_INVALID_OPTION */
export function assertNamespace(namespace: unknown): asserts namespace is string {
  if (typeof namespace !== 'string' || namespace === '' || !isSayable(namespace)) {
    throw invalid('namespace must be well-formed text without NUL, and not empty.')
  }
  if (Buffer.byteLength(namespace) > MAX_NAMESPACE_BYTES) {
    throw invalid(`namespace must be at most ${MAX_NAMESPACE_BYTES} bytes.`)
  }
}

function isTag(tag: unknown): boolean {
  return typeof tag === 'string' && tag !== ''
}

function isSayable(text: string): boolean {
  return !text.includes('\0') && !/\p{Surrogate}/u.test(text)
}

function positive(name: string, value: unknown): number {
  if (Number.isSafeInteger(value) && (value as number) > 0) return value as number
  throw invalid(`${name} must be a positive whole number.`)
}

function invalid(message: string) {
  return cacheError('CACHE_INVALID_OPTION', message)
}
