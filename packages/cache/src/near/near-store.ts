/**
 * Entries in memory, with a budget of bytes.
 *
 * What goes first is decided by SIEVE: entries stand in the order they came, a hit marks one, and a hand that moves from the oldest to
 * the newest takes the mark from those that have one and removes the first that has none. A hit moves nothing, so it costs a store
 * of one field.
 *
 * @see Zhang et al., "SIEVE is Simpler than LRU: an Efficient Turn-Key Eviction Algorithm for Web Caches" (NSDI 2024)
 *
 * Invariants: `bytes` is the sum over the entries and never above the budget; the list and the map hold the same entries; the hand, if
 * set, is one of them.
 */

/** What is put in. */
export interface NewEntry<Encoded> {
  readonly key: string
  /** The value, where nobody can change it; else `undefined`. */
  readonly value: unknown
  /** What the value is decoded from anew for each reader; `undefined` where {@link NewEntry.value} is it. */
  readonly encoded: Encoded | undefined
  /** Up to when it may be served, in milliseconds of `performance.now()`; `undefined` where that has no end. */
  readonly deadline: number | undefined
  readonly bytes: number
}

/**
 * One entry. With many entries a hit costs what it waits for memory, so what a hit reads comes first and lies together, and an entry
 * without end has no number to be fetched (numbers that are no small integers lie elsewhere).
 */
export class NearEntry<Encoded> implements NewEntry<Encoded> {
  /** Whether it was read since the hand last came by. */
  visited = false
  readonly deadline: number | undefined
  readonly encoded: Encoded | undefined
  readonly value: unknown
  readonly key: string
  readonly bytes: number
  newer: NearEntry<Encoded> | undefined = undefined
  older: NearEntry<Encoded> | undefined

  constructor(entry: NewEntry<Encoded>, older: NearEntry<Encoded> | undefined) {
    this.deadline = entry.deadline
    this.encoded = entry.encoded
    this.value = entry.value
    this.key = entry.key
    this.bytes = entry.bytes
    this.older = older
  }
}

/** The entries of one near cache. */
export class NearStore<Encoded> {
  readonly #maxBytes: number
  readonly #entries = new Map<string, NearEntry<Encoded>>()
  #newest: NearEntry<Encoded> | undefined
  #oldest: NearEntry<Encoded> | undefined
  #hand: NearEntry<Encoded> | undefined
  #bytes = 0
  #evictions = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  get size(): number {
    return this.#entries.size
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Entries removed for want of room. */
  get evictions(): number {
    return this.#evictions
  }

  /** Answers an entry; whoever serves it sets its `visited`. */
  get(key: string): NearEntry<Encoded> | undefined {
    return this.#entries.get(key)
  }

  /** Puts an entry in the place of what its key had. One larger than the whole budget is left out. */
  put(entry: NewEntry<Encoded>): void {
    this.delete(entry.key)
    if (entry.bytes > this.#maxBytes) return
    while (this.#bytes + entry.bytes > this.#maxBytes) this.#evict()
    const added = new NearEntry(entry, this.#newest)
    if (this.#newest === undefined) this.#oldest = added
    else this.#newest.newer = added
    this.#newest = added
    this.#entries.set(added.key, added)
    this.#bytes += added.bytes
  }

  delete(key: string): void {
    const entry = this.#entries.get(key)
    if (entry !== undefined) this.#remove(entry)
  }

  clear(): void {
    this.#entries.clear()
    this.#newest = undefined
    this.#oldest = undefined
    this.#hand = undefined
    this.#bytes = 0
  }

  #evict(): void {
    let entry = this.#hand ?? this.#oldest
    while (entry?.visited === true) {
      entry.visited = false
      entry = entry.newer ?? this.#oldest
    }
    if (entry === undefined) return
    this.#hand = entry.newer
    this.#remove(entry)
    this.#evictions++
  }

  #remove(entry: NearEntry<Encoded>): void {
    const { newer, older } = entry
    if (this.#hand === entry) this.#hand = newer
    if (newer === undefined) this.#newest = older
    else newer.older = older
    if (older === undefined) this.#oldest = newer
    else older.newer = newer
    this.#entries.delete(entry.key)
    this.#bytes -= entry.bytes
  }
}
