import { type Duration, parseDuration } from '@howdah/core'
import { cacheError } from '../errors.js'

/**
 * How a {@link Cache} keeps what it has read in the memory of its process.
 *
 * Writers, also those in SQL, tell in their transaction which keys they changed; nobody is told where no process keeps anything. A read
 * is answered from memory only while this process can prove that it has heard of every change acknowledged more than `maxStale`
 * before. Where it cannot (a connection is cut or frozen, the server restarts, the pool is busy, the event loop was blocked), the
 * read goes to the database, and nothing fails. What this process writes it sees at once; with the transaction of another
 * library, within `maxStale` after its commit.
 *
 * It begins a moment after the first reads, once every transaction has ended that was writing then: one that stays open delays it.
 * Where the hub polls for want of a `LISTEN` connection, the proof takes as long as a poll, so `maxStale` should be several times
 * `hub.pollInterval`; at less than one poll nothing is answered from memory.
 *
 * @example
 * ```ts
 * import { Cache } from '@howdah/cache'
 * import { Pool } from 'pg'
 *
 * const cache = new Cache({ pool: new Pool(), near: { maxBytes: 64 * 1024 * 1024, maxStale: '500ms' } })
 * await cache.get('tea') // may be half a second old
 * await cache.get('tea', { consistency: 'strong' }) // as new as the database
 * ```
 */
export interface NearOptions {
  /**
   * Memory it may take, in bytes: keys, encoded values and 180 bytes for each entry. What is read less goes first.
   *
   * @defaultValue `16777216`
   */
  readonly maxBytes?: number | undefined
  /**
   * How far a read may lie behind: it sees every write that was acknowledged this long before it began. Five times in this
   * span the process sends a message to itself, while the cache is being read; at least 50 ms.
   *
   * @defaultValue `'1s'`
   */
  readonly maxStale?: Duration | undefined
}

/** {@link NearOptions} checked, with every default filled in. */
export interface ResolvedNearOptions {
  readonly maxBytes: number
  readonly maxStale: number
}

const SHORTEST_STALE_MS = 50
const LONGEST_STALE_MS = 60_000

/** @throws {@link HowdahError} CACHE_INVALID_OPTION, CORE_INVALID_DURATION */
export function resolveNearOptions(options: NearOptions): ResolvedNearOptions {
  if (typeof options !== 'object' || options === null) {
    throw cacheError('CACHE_INVALID_OPTION', 'near must be an object of options.')
  }
  const { maxBytes = 16 * 1024 * 1024, maxStale = '1s' } = options
  if (!Number.isSafeInteger(maxBytes) || maxBytes < 1) {
    throw cacheError('CACHE_INVALID_OPTION', 'near.maxBytes must be a positive whole number.')
  }
  const bounds = { min: SHORTEST_STALE_MS, max: LONGEST_STALE_MS }
  return Object.freeze({ maxBytes, maxStale: parseDuration(maxStale, 'near.maxStale', bounds) })
}
