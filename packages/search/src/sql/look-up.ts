import { defineStatement, type Statement } from '@howdah/core'

/** A word of a query, and how many errors it may have. */
export interface WordLookUp {
  readonly word: string
  readonly distance: number
}

/** Words with how many documents have them. */
export type Frequencies = readonly (readonly [word: string, documents: number])[]

/** What the database knows of a query. */
export interface LookUpRow {
  /** Version of the index's rules; null while it has none. */
  readonly version: string | null
  /** In the order of the words: how many documents have it, and the words that may be near. */
  readonly words: readonly { readonly documents: number; readonly near: Frequencies }[]
  /** In the order of the beginnings, the most frequent words first. */
  readonly completions: readonly Frequencies[]
}

/** What is asked about a query. */
export interface LookUp {
  /** Whose words. */
  readonly index: number
  /** Whose rules; none are asked for by suggestions. */
  readonly rules?: number | undefined
  readonly tenant: string
  readonly words: readonly WordLookUp[]
  readonly beginnings: readonly string[]
  /** Completions of each beginning. */
  readonly limit: number
}

/** Asks the vocabulary about a query's words, and whether the rules have changed. */
export const lookUp: (schema: string, asked: LookUp) => Statement<LookUpRow> = defineStatement(
  'search.look-up',
  (s) => /* sql */ `
    select
      (select r.version::text from ${s}.search_rules r where r.index_id = $7::int) as version, l.words, l.completions
    from ${s}.search_look_up($1::int, $2::text, $3::text[], $4::int[], $5::text[], $6::int) l`,
  ({ index, rules = null, tenant, words, beginnings, limit }) => [
    index,
    tenant,
    words.map(({ word }) => word),
    words.map(({ distance }) => distance),
    beginnings,
    limit,
    rules,
  ],
)
