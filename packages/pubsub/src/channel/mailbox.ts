import { pubSubError } from '../errors.js'

/**
 * Messages that wait for one reader, and gaps between them.
 *
 * Invariants: at most `limit` messages are kept; the reader receives them in the order they came, hears of a gap before the first message that came after
 * it, and learns of an overflow after the ones that were kept; once ended nothing is added.
 */
const GAP: unique symbol = Symbol('gap')

export class Mailbox<T> {
  readonly #limit: number
  readonly #onGap: () => unknown
  readonly #messages: (T | typeof GAP)[] = []
  #ended = false
  #failure: unknown
  #wake: (() => void) | undefined

  constructor(limit: number, onGap: () => unknown) {
    this.#limit = limit
    this.#onGap = onGap
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

  /** Notes that messages may be missing here. */
  addGap(): void {
    if (this.#ended || this.#messages.at(-1) === GAP) return
    this.#messages.push(GAP)
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
      while (this.#messages.length > 0) {
        const next = this.#messages.shift() as T | typeof GAP
        if (next === GAP) this.#onGap()
        else yield next
      }
      if (this.#ended) break
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
      this.#wake = undefined
    }
    if (this.#failure !== undefined) throw this.#failure
  }
}
