import { type Statement, statementName } from '@howdah/core'
import type { IndexNames } from '../names.js'
import type { TenantScope } from '../tenant/tenant-scope.js'

/** What the telling words are asked of: a row, or a text. */
export interface TellingSource {
  readonly key: string | null
  /** Weights of the fields that count, of a row; null for all. */
  readonly labels: readonly string[] | null
  /** Of a text, with how often each occurs. */
  readonly lexemes: readonly string[]
  readonly counts: readonly number[]
  readonly minDocuments: number
  readonly maxWords: number
}

/** Words with their parts of a score, those that tell most first. */
export interface TellingWords {
  /** Whether there is such a row, for who asks. */
  readonly known: boolean
  readonly terms: readonly string[]
  readonly parts: readonly number[]
}

/** Asks for the words that tell most about a row or a text. */
export function tellingWords(
  { functions }: IndexNames,
  { key, labels, lexemes, counts, minDocuments, maxWords }: TellingSource,
  scope: TenantScope | undefined,
): Statement<TellingWords> {
  const text = /* sql */ `
    select t.known, to_jsonb(coalesce(t.terms, '{}')) as terms, to_jsonb(coalesce(t.parts, '{}')) as parts
    from ${functions.telling}(
      $1::text, $2::text[], $3::text[], $4::double precision[], $5::int, $6::int${scope === undefined ? '' : ', $7::text'}) t`
  const given = lexemes.length > 0
  const values = [
    key,
    labels,
    given ? lexemes : null,
    given ? counts : null,
    minDocuments,
    maxWords,
    ...(scope === undefined ? [] : [scope.word]),
  ]
  return { name: statementName('search.telling-words', text), text, values }
}
