import { type Duration, parseDuration } from '@howdah/core'
import { originalOf, storedKey } from './key.js'
import { checkTags, type ResolvedCacheOptions, resolveTtl, type SetOptions } from './options.js'
import { type EncodedValue, encodeValue } from './value.js'

/** What only few entries need, as the SQL functions read it. */
export interface Extra {
  /** Bytes in base64. */
  readonly b?: string
  /** Grace in milliseconds. */
  readonly g?: number
  /** Idle time in milliseconds. */
  readonly s?: number
  readonly t?: readonly string[]
  /** JSON of a key that is stored as a digest. */
  readonly o?: string
}

/** One value on its way to the table. */
export interface Write {
  readonly key: string
  readonly value: string
  /** Milliseconds, or null for ever. */
  readonly ttl: number | null
  readonly extra: Extra | null
  readonly bytes: number
}

/** How long an entry lives and what belongs to it. */
type WriteSettings = Pick<SetOptions, 'ttl' | 'sliding' | 'grace' | 'tags'>

/**
 * Checks and encodes a write; does no I/O.
 *
 * @throws {@link HowdahError} CACHE_INVALID_KEY, CACHE_INVALID_VALUE, CACHE_VALUE_TOO_LARGE, CACHE_INVALID_TAG, CACHE_INVALID_OPTION,
 * CORE_INVALID_DURATION
 */
export function toWrite(
  key: string,
  value: unknown,
  settings: WriteSettings,
  defaults: ResolvedCacheOptions,
): Write {
  const stored = storedKey(key)
  const encoded = encodeValue(value, defaults)
  const ttl = lifetime(settings.ttl, defaults)
  const extra = toExtra(key, stored, encoded, settings, ttl, defaults)
  return {
    key: stored,
    value: encoded.text,
    ttl,
    extra,
    bytes: stored.length + encoded.text.length + (encoded.bin?.length ?? 0),
  }
}

/** Milliseconds an entry is to live, shortened at random where the cache has a jitter; null for ever. */
export function lifetime(
  ttl: Duration | null | undefined,
  { ttl: byDefault, jitter }: ResolvedCacheOptions,
): number | null {
  const ms = ttl === undefined ? byDefault : (resolveTtl(ttl) ?? null)
  return ms === null || jitter === 0 ? ms : Math.max(1, ms * (1 - jitter * Math.random()))
}

/** Several writes as the parameters of a statement. */
export type WriteColumns = readonly [
  namespace: string,
  keys: readonly string[],
  values: readonly string[],
  ttls: readonly (number | null)[],
  extras: string | null,
]

/** The columns of a batch. Entries of one time to live, and without extras, need less said. */
export function toColumns(namespace: string, writes: readonly Write[]): WriteColumns {
  const first = writes[0]?.ttl ?? null
  const uniform = writes.every((write) => write.ttl === first)
  const special = writes.some((write) => write.extra !== null)
  return [
    namespace,
    writes.map((write) => write.key),
    writes.map((write) => write.value),
    uniform ? [first] : writes.map((write) => write.ttl),
    special ? JSON.stringify(writes.map((write) => write.extra)) : null,
  ]
}

function toExtra(
  key: string,
  stored: string,
  { bin }: EncodedValue,
  settings: WriteSettings,
  ttl: number | null,
  defaults: ResolvedCacheOptions,
): Extra | null {
  const { sliding = defaults.sliding, grace, tags } = settings
  if (
    bin === undefined &&
    !sliding &&
    grace === undefined &&
    tags === undefined &&
    key === stored
  ) {
    return null
  }
  const original = originalOf(key, stored)
  return {
    ...(bin === undefined ? {} : { b: bin }),
    ...(grace === undefined ? {} : { g: parseDuration(grace, 'grace') }),
    ...(sliding && ttl !== null ? { s: Math.round(ttl) } : {}),
    ...(tags === undefined || tags.length === 0 ? {} : { t: checkTags(tags) }),
    ...(original === undefined ? {} : { o: original }),
  }
}
