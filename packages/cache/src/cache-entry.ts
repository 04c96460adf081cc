/** A live entry. */
export interface CacheEntry<T = unknown> {
  readonly value: T
  /** Changes with every write; what `compareAndSet()` compares. */
  readonly version: string
  /** Milliseconds left to live when it was read; `null` for ever. */
  readonly ttl: number | null
}
