import { type Glob, matches } from './glob.js'

/** Of longer prefixes only this much is looked up by: a name is looked up once for each length there is. */
const LONGEST_KEY = 64

/** Finds the patterns that a name matches among many, by what they begin with: only those are tried whose prefix the name has. */
export class PatternIndex<T> {
  readonly #byKey = new Map<string, Set<{ readonly glob: Glob; readonly value: T }>>()
  /** How many keys there are of each length. */
  readonly #lengths = new Map<number, number>()

  /** Adds a pattern and returns the function that removes it. */
  add(glob: Glob, value: T): () => void {
    const key = glob.prefix.slice(0, LONGEST_KEY)
    const entry = { glob, value }
    const entries = this.#byKey.get(key) ?? new Set()
    if (entries.size === 0) {
      this.#byKey.set(key, entries)
      this.#lengths.set(key.length, (this.#lengths.get(key.length) ?? 0) + 1)
    }
    entries.add(entry)
    return () => {
      if (!entries.delete(entry) || entries.size > 0) return
      this.#byKey.delete(key)
      const left = (this.#lengths.get(key.length) as number) - 1
      if (left === 0) this.#lengths.delete(key.length)
      else this.#lengths.set(key.length, left)
    }
  }

  /** The values of all patterns that the name matches. */
  find(name: string): T[] {
    const found: T[] = []
    for (const length of this.#lengths.keys()) {
      if (length > name.length) continue
      for (const { glob, value } of this.#byKey.get(name.slice(0, length)) ?? []) {
        if (matches(glob, name)) found.push(value)
      }
    }
    return found
  }
}
