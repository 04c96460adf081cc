/**
 * The events of some triggers, for as long as the subscription of a client lasts.
 *
 * States: new -> (first next) running -> (return, throw, a failure) over. Nothing is subscribed to before the first next(), for an iterator
 * that nobody reads is never returned either; and return() ends a next() that waits.
 */
export class TriggerIterator<T> implements AsyncIterableIterator<T> {
  readonly #abort = new AbortController()
  readonly #events: AsyncGenerator<T, void, void>
  readonly #waiting = new Set<() => void>()

  constructor(events: (signal: AbortSignal) => AsyncGenerator<T, void, void>) {
    this.#events = events(this.#abort.signal)
  }

  next(): Promise<IteratorResult<T>> {
    return new Promise((resolve, reject) => {
      const end = (): void => resolve({ value: undefined, done: true })
      if (this.#abort.signal.aborted) return end()
      this.#waiting.add(end)
      this.#events
        .next()
        .then(resolve, reject)
        .finally(() => this.#waiting.delete(end))
    })
  }

  async return(): Promise<IteratorResult<T>> {
    this.#abort.abort()
    for (const end of this.#waiting) end()
    // Not waited for: while the database cannot be reached, subscribing does not end.
    this.#events.return().catch(() => {})
    return { value: undefined, done: true }
  }

  async throw(error: unknown): Promise<never> {
    await this.return()
    throw error
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return()
  }
}
