import { pubSubError } from './errors.js'

/**
 * Messages that wait for one reader.
 *
 * Invariants: at most `limit` messages are kept; the reader receives them in the order they came, and learns of an overflow after the ones that
 * were kept; once ended nothing is added.
 */
export class Mailbox<T> {
  readonly #limit: number
  readonly #messages: T[] = []
  #ended = false
  #failure: unknown
  #wake: (() => void) | undefined

  constructor(limit: number) {
    this.#limit = limit
  }

  /** Adds a message, or ends the mailbox with an error when it is full. */
  add(message: T): void {
    if (this.#ended) return
    if (this.#messages.length >= this.#limit) {
      this.end(
        pubSubError(
          'PUBSUB_SLOW_CONSUMER',
          `More than ${this.#limit} messages waited for their reader. Read faster, raise maxBuffered, or read from a durable stream.`,
        ),
      )
      return
    }
    this.#messages.push(message)
    this.#wake?.()
  }

  /** Ends the reading, with an error where one is given. */
  end(failure?: unknown): void {
    if (this.#ended) return
    this.#ended = true
    this.#failure = failure
    this.#wake?.()
  }

  /** Reads until the end. */
  async *read(): AsyncGenerator<T, void, void> {
    for (;;) {
      while (this.#messages.length > 0) yield this.#messages.shift() as T
      if (this.#ended) break
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
      this.#wake = undefined
    }
    if (this.#failure !== undefined) throw this.#failure
  }
}
