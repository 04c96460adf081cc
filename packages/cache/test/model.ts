import fc from 'fast-check'

/** What a cached value is once it was stored and read. */
export function asRead(value: unknown): unknown {
  if (value instanceof Date) return new Date(value)
  if (value instanceof Uint8Array) return Buffer.from(value)
  if (typeof value === 'object' && value !== null) return JSON.parse(JSON.stringify(value))
  return value
}

/** An entry of the {@link Model}. */
interface Entry {
  value: unknown
  /** Minutes left; null for ever. */
  minutes: number | null
  tags: readonly string[]
  /** Whether it can be counted with. */
  counts: boolean
}

/** How an entry is written. */
export interface Settings {
  readonly minutes: number | null
  readonly tags: readonly string[]
}

/** What a namespace is to hold, in memory. */
export class Model {
  readonly entries = new Map<string, Entry>()
  readonly #codec: boolean

  constructor(codec = false) {
    this.#codec = codec
  }

  set(key: string, value: unknown, { minutes, tags }: Settings): void {
    const counts = typeof value === 'number' && !this.#codec
    this.entries.set(key, { value: asRead(value), minutes, tags, counts })
  }

  add(key: string, value: unknown, settings: Settings): boolean {
    if (this.entries.has(key)) return false
    this.set(key, value, settings)
    return true
  }

  replace(key: string, value: unknown, settings: Settings): boolean {
    if (!this.entries.has(key)) return false
    this.set(key, value, settings)
    return true
  }

  touch(key: string, minutes: number | null): boolean {
    const entry = this.entries.get(key)
    if (entry !== undefined) entry.minutes = minutes
    return entry !== undefined
  }

  /** Answers the sum, or the code of the error. */
  increment(key: string, by: number, minutes: number | null): number | string {
    const entry = this.entries.get(key)
    if (entry === undefined) {
      this.entries.set(key, { value: by + 0, minutes, tags: [], counts: true })
      return by + 0
    }
    const { value } = entry
    const integer = entry.counts && Number.isInteger(value) && Math.abs(value as number) < 1e16
    const sum = integer ? BigInt(value as number) + BigInt(by) : undefined
    if (sum === undefined || !Number.isSafeInteger(Number(sum))) return 'CACHE_INVALID_COUNTER'
    entry.value = Number(sum)
    return Number(sum)
  }

  invalidate(tags: readonly string[]): void {
    for (const [key, entry] of this.entries) {
      if (entry.tags.some((tag) => tags.includes(tag))) this.entries.delete(key)
    }
  }

  age(minutes: number): void {
    for (const [key, entry] of this.entries) {
      if (entry.minutes === null) continue
      entry.minutes -= minutes
      if (entry.minutes <= 0) this.entries.delete(key)
    }
  }
}

/** Few enough that calls meet, and each of a kind that breaks something. */
export const KEYS: readonly string[] = [
  'a',
  'B',
  '',
  '__proto__',
  'constructor',
  'nul\0nul',
  '\ud800',
  '\udc00\ud800',
  '🐘'.repeat(200),
  `${'k'.repeat(10_000)}1`,
  `${'k'.repeat(10_000)}2`,
  'x'.repeat(512),
  'x'.repeat(513),
  '#',
  '##tag',
  "'; drop table howdah.cache_entry; --",
  '%_\\',
  '$1',
]

export const key: fc.Arbitrary<string> = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...KEYS) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 300 }) },
)

export const value: fc.Arbitrary<unknown> = fc.oneof(
  fc.jsonValue(),
  fc.string({ unit: 'binary', maxLength: 300 }),
  fc.string({ unit: 'grapheme', maxLength: 300 }),
  fc.nat({ max: 300 }).map((n) => 'long '.repeat(n)),
  fc.double(),
  fc.integer(),
  fc.constantFrom(NaN, -0, Infinity, -Infinity, null, undefined, '', '\0', '\ud800', true, false),
  fc.bigInt(),
  fc.date({ noInvalidDate: false }),
  fc.uint8Array({ maxLength: 400 }),
  fc.uint8Array({ maxLength: 400 }).map((bytes) => Buffer.from(bytes)),
  fc.constant(JSON.parse('{"__proto__": {"admin": true}, "constructor": 1}')),
)

const TAGS = ['t', 'T', 'tag\0', '\ud800', '__proto__', '🐘', 'x'.repeat(3_000)]

export const tags: fc.Arbitrary<string[]> = fc.subarray(TAGS, { maxLength: 3 })

/** Ages are tens, so that neither the time a test takes nor rounding decides what is expired. */
export const minutes: fc.Arbitrary<number | null> = fc.constantFrom(null, 5, 15, 35)

export const settings: fc.Arbitrary<Settings> = fc.record({
  minutes,
  tags: fc.oneof({ weight: 2, arbitrary: fc.constant([]) }, tags),
})
