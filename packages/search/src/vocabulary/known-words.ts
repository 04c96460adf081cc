import type { WordLookUp } from '../sql/look-up.js'

/** Words that are remembered, and for how long: words leave the documents now and then. */
const KEPT = 20_000
const MILLISECONDS = 60_000

/** Words that so many documents have that they are no errors: asking about them again would only say so again. */
export class KnownWords {
  readonly #until = new Map<string, number>()

  /** Whether none of the words need be asked about. */
  all(tenant: string, words: Iterable<WordLookUp>): boolean {
    const now = performance.now()
    for (const { word } of words) {
      if ((this.#until.get(`${tenant}\0${word}`) ?? 0) < now) return false
    }
    return true
  }

  add(tenant: string, word: string): void {
    const key = `${tenant}\0${word}`
    this.#until.delete(key)
    this.#until.set(key, performance.now() + MILLISECONDS)
    if (this.#until.size <= KEPT) return
    const [oldest] = this.#until.keys()
    if (oldest !== undefined) this.#until.delete(oldest)
  }
}
