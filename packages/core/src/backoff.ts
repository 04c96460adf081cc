import { type Duration, parseDuration } from './duration.js'
import { HowdahError } from './errors.js'

/** Options of {@link Backoff}. */
export interface BackoffOptions {
  /** Upper end of the first delay. @defaultValue `'100ms'` */
  readonly initial?: Duration | undefined
  /** Upper end of every later delay. @defaultValue `'10s'` */
  readonly max?: Duration | undefined
  /** How much the upper end grows at each step. @defaultValue `2` */
  readonly factor?: number | undefined
  /** Source of randomness in [0, 1), for tests. @defaultValue `Math.random` */
  readonly random?: (() => number) | undefined
}

/**
 * Exponential backoff with full jitter: each delay is drawn evenly between zero and an upper end that grows, so that
 * many processes losing one server do not come back together.
 *
 * @see "Exponential Backoff And Jitter", AWS Architecture Blog, 2015, for the comparison of jitter kinds
 *
 * @example
 * ```ts
 * import { Backoff } from '@howdah/core'
 *
 * const backoff = new Backoff({ initial: '100ms', max: '5s' })
 * backoff.next() // 0 to 100
 * backoff.next() // 0 to 200
 * backoff.reset()
 * ```
 */
export class Backoff {
  readonly #initial: number
  readonly #max: number
  readonly #factor: number
  readonly #random: () => number
  #ceiling: number

  constructor(options: BackoffOptions = {}) {
    this.#initial = parseDuration(options.initial ?? '100ms', 'initial', { min: 1 })
    this.#max = parseDuration(options.max ?? '10s', 'max', { min: this.#initial })
    this.#factor = options.factor ?? 2
    if (!(this.#factor >= 1 && Number.isFinite(this.#factor))) {
      throw new HowdahError('CORE_INVALID_OPTION', 'factor must be a number of at least 1.')
    }
    this.#random = options.random ?? Math.random
    this.#ceiling = this.#initial
  }

  /** Draws the next delay in milliseconds and raises the upper end. */
  next(): number {
    const delay = Math.round(this.#random() * this.#ceiling)
    this.#ceiling = Math.min(this.#max, this.#ceiling * this.#factor)
    return delay
  }

  /** Starts again from the first delay; called once the operation succeeded. */
  reset(): void {
    this.#ceiling = this.#initial
  }
}
