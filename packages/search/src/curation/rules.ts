import { searchError } from '../errors.js'

/**
 * Words or phrases that mean the same: a list of which each finds all others, or what is typed and what it finds besides.
 */
export type Synonyms =
  | readonly string[]
  | { readonly from: readonly string[]; readonly to: readonly string[] }

/** Results of one query, or of every query, that are put first or left out. */
export interface ResultRule {
  /** The query it is for, whatever its case and spaces. @defaultValue every query */
  readonly query?: string | undefined
  /** Keys of rows that come first, in this order. @defaultValue `[]` */
  readonly pinned?: readonly string[] | undefined
  /** Keys of rows that are left out. @defaultValue `[]` */
  readonly hidden?: readonly string[] | undefined
}

/** Every process holds them in memory. */
const MAX_RULES = 10_000
const MAX_LENGTH = 200
const MAX_KEYS = 100

/** @throws {@link HowdahError} SEARCH_INVALID_RULE */
export function checkSynonyms(synonyms: unknown): Synonyms[] {
  return list(synonyms, 'Synonyms').map((entry) => {
    if (Array.isArray(entry)) return texts(entry, 'Synonyms', 2)
    const { from, to } = (entry ?? {}) as { from?: unknown; to?: unknown }
    return { from: texts(from, 'from', 1), to: texts(to, 'to', 1) }
  })
}

/** @throws {@link HowdahError} SEARCH_INVALID_RULE */
export function checkStopWords(words: unknown): string[] {
  return list(words, 'Stop words').map((word) => text(word, 'A stop word'))
}

/** @throws {@link HowdahError} SEARCH_INVALID_RULE */
export function checkResults(rules: unknown): ResultRule[] {
  return list(rules, 'Results').map((rule) => {
    if (typeof rule !== 'object' || rule === null) {
      throw invalid('Each rule for results is an object: { query, pinned, hidden }.')
    }
    const { query, pinned = [], hidden = [] } = rule as ResultRule
    return {
      ...(query === undefined ? {} : { query: text(query, 'query') }),
      pinned: keys(pinned, 'pinned'),
      hidden: keys(hidden, 'hidden'),
    }
  })
}

/** A query in the form in which the rules for results know it. */
export function normalQuery(query: string): string {
  return query.normalize('NFKC').toLowerCase().trim().replace(/\s+/g, ' ')
}

function list(value: unknown, what: string): unknown[] {
  if (Array.isArray(value) && value.length <= MAX_RULES) return value
  throw invalid(`${what} must be an array of at most ${MAX_RULES}.`)
}

function texts(value: unknown, what: string, least: number): string[] {
  if (!Array.isArray(value) || value.length < least || value.length > MAX_KEYS) {
    throw invalid(`${what} must be an array of ${least} to ${MAX_KEYS} words or phrases.`)
  }
  return value.map((one) => text(one, what))
}

function keys(value: unknown, what: string): string[] {
  if (!Array.isArray(value) || value.length > MAX_KEYS) {
    throw invalid(`${what} must be an array of at most ${MAX_KEYS} keys.`)
  }
  return value.map((one) => text(one, what))
}

function text(value: unknown, what: string): string {
  const fits = typeof value === 'string' && value.trim() !== '' && value.length <= MAX_LENGTH
  if (fits && !value.includes('\0') && !/\p{Surrogate}/u.test(value)) return value
  throw invalid(`${what} must be well-formed text of 1 to ${MAX_LENGTH} characters without NUL.`)
}

function invalid(message: string) {
  return searchError('SEARCH_INVALID_RULE', message)
}
