/**
 * Reads live values, from the memory of this process where there is a near cache, else from the database.
 */
import type { TransactionHandle } from '@howdah/core'
import type { EntryStore } from './entry-store.js'
import { DIGEST_MARK, storedKey } from './key.js'
import { type Near, type NearFill, textBytes } from './near/near.js'
import type { NearEntry } from './near/near-store.js'
import type { EntryRow } from './sql/get-entries.js'
import { isToSlide, unmarked } from './sql/get-values.js'
import { type CacheCodec, decodeValue, inflated, isImmutable } from './value.js'

/** A value that was found. */
export interface Found {
  /** The value, where `encoded` is `undefined`. */
  readonly value: unknown
  /** What the value is decoded from. */
  readonly encoded: string | undefined
}

/** Answers live values. */
export class Reader {
  readonly #store: EntryStore
  readonly #codec: CacheCodec | undefined
  readonly #onError: (error: unknown) => void
  readonly #near: Near<string> | undefined
  readonly #sliding = new Set<Promise<void>>()

  constructor(
    store: EntryStore,
    codec: CacheCodec | undefined,
    near: Near<string> | undefined,
    onError: (error: unknown) => void,
  ) {
    this.#store = store
    this.#codec = codec
    this.#near = near
    this.#onError = onError
  }

  /** Answers what memory has of a key of the application's. */
  recall(key: string): NearEntry<string> | undefined {
    // A key that is plain is stored as it is; of others, only one that looks like a digest could be mistaken for a stored one.
    return this.#near?.lookup(
      typeof key === 'string' && key[0] === DIGEST_MARK ? storedKey(key) : key,
    )
  }

  /** Reads a stored key, and prolongs its entry in the background where it is sliding. */
  read(key: string, client?: TransactionHandle): Promise<Found | undefined> {
    const fill = client === undefined ? this.#near?.begin(key) : undefined
    if (fill !== undefined) return this.#readAndKeep(key, fill)
    return this.#store.read(key, client).then((marked) => this.#found(key, marked))
  }

  /** Reads several stored keys. */
  async readMany(
    keys: readonly string[],
    client?: TransactionHandle,
  ): Promise<readonly (Found | undefined)[]> {
    if (this.#near !== undefined) return Promise.all(keys.map((key) => this.read(key, client)))
    const marked = await this.#store.readMany(keys, client)
    return marked.map((one, at) => this.#found(keys[at] as string, one))
  }

  /** Answers the value of what was found; a new one at each call, where somebody could change it. */
  decode({ value, encoded }: Found): unknown {
    return encoded === undefined ? value : decodeValue(encoded, this.#codec)
  }

  /** Waits for what goes on in the background. */
  async close(): Promise<void> {
    await Promise.all([this.#near?.close(), ...this.#sliding])
  }

  #found(key: string, marked: string): Found | undefined {
    if (marked === '') return undefined
    if (isToSlide(marked)) this.#slide(key)
    return { value: undefined, encoded: unmarked(marked) }
  }

  async #readAndKeep(key: string, fill: NearFill): Promise<Found | undefined> {
    let found: (Found & { readonly row: EntryRow; readonly bytes: number }) | undefined
    try {
      const row = await this.#store.readEntry(key)
      if (row !== undefined) found = { row, ...this.#keepable(row.value) }
    } finally {
      if (found === undefined) this.#near?.abandon(fill)
    }
    if (found === undefined) return undefined
    const { row, value, encoded, bytes } = found
    this.#near?.store(fill, { value, encoded, bytes, ttl: row.ttl, sliding: row.slide !== null })
    if (row.slide === true) this.#slide(key)
    return found
  }

  /** Unpacks what is compressed, and decodes what need not be decoded for each reader. */
  #keepable(stored: string): Found & { readonly bytes: number } {
    const encoded = inflated(stored)
    const bytes = textBytes(encoded)
    if (!isImmutable(encoded)) return { value: undefined, encoded, bytes }
    return { value: decodeValue(encoded, this.#codec), encoded: undefined, bytes }
  }

  #slide(key: string): void {
    const done: Promise<void> = this.#store
      .slide(key)
      .catch(this.#onError)
      .finally(() => this.#sliding.delete(done))
    this.#sliding.add(done)
  }
}
