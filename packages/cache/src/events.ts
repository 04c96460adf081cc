import type { NearStats } from './near/near.js'

/** Events of a {@link Cache}. Keys are the application's own where it gave them, else as they are stored. */
export interface CacheEvents {
  /** A read found a live value; `near` where it came from memory. */
  readonly hit: readonly [key: string, near: boolean]
  /** A read found none. */
  readonly miss: readonly [key: string]
  /** A loader ended and its value was stored, or not, where something newer came first. */
  readonly fill: readonly [key: string, stored: boolean]
  /** An old value within its grace was answered. */
  readonly stale: readonly [key: string]
  /** Entries were removed to keep the namespace within its limits. */
  readonly evict: readonly [count: number]
  /** Something failed in the background: a refresh, the sweep, the eviction. The cache goes on by itself. */
  readonly error: readonly [error: unknown]
}

/** What a {@link Cache} of this process has done so far, and what its namespace holds. */
export interface CacheStats {
  /** Reads that found a live value, those from memory included. */
  readonly hits: number
  readonly misses: number
  /** Hits that were answered from this process's memory. */
  readonly nearHits: number
  /** Old values within their grace that were answered. */
  readonly staleHits: number
  /** Loaders that ran. */
  readonly loads: number
  readonly loadErrors: number
  /** Loaded values that were stored. */
  readonly fills: number
  /** Values written by other calls than `getOrSet`. */
  readonly writes: number
  /** Entries this process removed to keep the namespace within its limits. */
  readonly evictions: number
  /** Entries of the namespace, from all processes, expired ones that are not swept yet included. */
  readonly entries: number
  /** What they take in the table, by estimate of their rows. */
  readonly bytes: number
  /** Whether `entries` and `bytes` were estimated from a sample rather than counted. */
  readonly estimated: boolean
  /** What this process holds in memory; `undefined` where it is to hold nothing. */
  readonly near: NearStats | undefined
}
