import type { Database, TransactionHandle } from '@howdah/core'
import { searchError } from '../errors.js'
import type { Lexemes } from '../language/lexemes.js'
import { lookUp } from '../sql/look-up.js'
import type { TenantValue } from '../tenant/tenant-scope.js'
import { corrections, maxDistance } from './corrections.js'

/** Options of {@link SearchIndex.suggest}. */
export interface SuggestOptions {
  /** Suggestions, at most 100. @defaultValue `10` */
  readonly limit?: number | undefined
  /** Whose words, as in {@link SearchOptions.tenant}. */
  readonly tenant?: TenantValue | undefined
  readonly client?: TransactionHandle | undefined
}

/** A way to go on from what was typed. */
export interface Suggestion {
  /** What was typed with its last word completed, or corrected where nothing begins so. */
  readonly text: string
  /** The last word of it. */
  readonly word: string
  /** How many rows have the word. */
  readonly documents: number
}

/** Whose words are suggested. */
export interface SuggestFrom {
  readonly index: number
  readonly tenant: string
}

const MAX_LIMIT = 100
const MAX_TYPED = 4096
/** Looked at besides, for some may be stop words. */
const SPARE = 20

/** @throws {@link HowdahError} SEARCH_INVALID_QUERY */
export async function suggest(
  db: Database,
  lexemes: Lexemes,
  { index, tenant }: SuggestFrom,
  typed: string,
  { limit = 10, client }: SuggestOptions = {},
): Promise<Suggestion[]> {
  if (typeof typed !== 'string') {
    throw searchError('SEARCH_INVALID_QUERY', 'What was typed must be a string.')
  }
  if (!Number.isSafeInteger(limit) || limit < 1 || limit > MAX_LIMIT) {
    throw searchError(
      'SEARCH_INVALID_QUERY',
      `limit must be a whole number from 1 to ${MAX_LIMIT}.`,
    )
  }
  const last = typed.length > MAX_TYPED ? undefined : /[\p{L}\p{N}\p{M}]+$/u.exec(typed)
  if (last === null || last === undefined) return []
  const [text] = last
  const word = await lexemes.wordOf(text, client)
  const asked = {
    index,
    tenant,
    words: [{ word, distance: maxDistance(word) }],
    beginnings: [word],
    limit: limit + SPARE,
  }
  const [row] = await db.query(lookUp(db.schema, asked), client)
  const begun = row?.completions[0] ?? []
  const { documents = 0, near = [] } = row?.words[0] ?? {}
  const found = begun.length > 0 ? begun : corrections(word, documents, near).map(asFrequency)
  const analyses = await lexemes.of(
    found.map(([one]) => one),
    client,
  )
  return found
    .filter(([one]) => (analyses.get(one)?.lexemes.length ?? 0) > 0)
    .slice(0, limit)
    .map(([one, count]) => ({
      text: typed.slice(0, last.index) + one,
      word: one,
      documents: count,
    }))
}

function asFrequency({ word, documents }: { word: string; documents: number }) {
  return [word, documents] as const
}
