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
    with known as materialized (
      select coalesce((
        select v.id from ${s}.search_vocabulary v
        where v.index_id = $1::int and v.tenant = $2::text collate "C"), 0) as id
    )
    select
      (select r.version::text from ${s}.search_rules r where r.index_id = $7::int) as version,
      (select coalesce(json_agg(json_build_object('documents', f.documents, 'near', f.near) order by w.n), '[]')
       from known, unnest($3::text[], $4::int[]) with ordinality as w(word, distance, n)
       cross join lateral ${s}.search_near(known.id, w.word, w.distance) f) as words,
      (select coalesce(json_agg((
         select coalesce(json_agg(json_build_array(c.word, c.documents)), '[]')
         from ${s}.search_completions(known.id, b.beginning, $6::int) c) order by b.n), '[]')
       from known, unnest($5::text[]) with ordinality as b(beginning, n)) as completions`,
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
