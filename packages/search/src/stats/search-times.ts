/** Durations that percentiles are taken of: those of the last searches. */
const KEPT = 1000

/** What searches of this process took. */
export interface SearchTimesStats {
  /** Searches since the object was made, those that failed included. */
  readonly count: number
  readonly failed: number
  /** How long half of the last thousand took at most; undefined before the first. */
  readonly p50Ms: number | undefined
  /** The same of 99 in a hundred. */
  readonly p99Ms: number | undefined
}

/** Counts and times searches. */
export class SearchTimes {
  readonly #last = new Float64Array(KEPT)
  #count = 0
  #failed = 0

  /** Times a search. */
  async time<T>(search: () => Promise<T>, onEnd: (found: T, ms: number) => void): Promise<T> {
    const start = performance.now()
    try {
      const found = await search()
      onEnd(found, performance.now() - start)
      return found
    } catch (error) {
      this.#failed++
      throw error
    } finally {
      this.#last[this.#count++ % KEPT] = performance.now() - start
    }
  }

  stats(): SearchTimesStats {
    const sorted = this.#last.slice(0, Math.min(this.#count, KEPT)).sort()
    const at = (share: number) => sorted[Math.ceil(share * sorted.length) - 1]
    return { count: this.#count, failed: this.#failed, p50Ms: at(0.5), p99Ms: at(0.99) }
  }
}
