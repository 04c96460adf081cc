import type { TransactionHandle } from '@howdah/core'
import type { EntryStore } from './entry-store.js'

/** Answers live values, as they are stored. */
export class Reader {
  readonly #store: EntryStore
  readonly #onError: (error: unknown) => void
  readonly #sliding = new Set<Promise<void>>()

  constructor(store: EntryStore, onError: (error: unknown) => void) {
    this.#store = store
    this.#onError = onError
  }

  /** Reads the value of a stored key, and prolongs it in the background where it is sliding. */
  async read(key: string, client?: TransactionHandle): Promise<string | undefined> {
    const row = await this.#store.read(key, client)
    if (row?.slide === true) this.#slide(key)
    return row?.value
  }

  /** Waits for what goes on in the background. */
  async close(): Promise<void> {
    await Promise.all(this.#sliding)
  }

  #slide(key: string): void {
    const done: Promise<void> = this.#store
      .slide(key)
      .catch(this.#onError)
      .finally(() => this.#sliding.delete(done))
    this.#sliding.add(done)
  }
}
