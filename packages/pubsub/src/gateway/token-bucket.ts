/** How often something may happen: so many at once, and so many each second after. */
export interface Rate {
  readonly burst: number
  readonly perSecond: number
}

/** Counts against a {@link Rate}. Starts full. */
export class TokenBucket {
  readonly #rate: Rate
  readonly #now: () => number
  #tokens: number
  #filledAt: number

  /** @param now - a clock in milliseconds that never goes back */
  constructor(rate: Rate, now: () => number = () => performance.now()) {
    this.#rate = rate
    this.#now = now
    this.#tokens = rate.burst
    this.#filledAt = now()
  }

  /** Takes a token, where there is one. */
  take(): boolean {
    const now = this.#now()
    const earned = ((now - this.#filledAt) / 1000) * this.#rate.perSecond
    this.#tokens = Math.min(this.#rate.burst, this.#tokens + earned)
    this.#filledAt = now
    if (this.#tokens < 1) return false
    this.#tokens--
    return true
  }
}
