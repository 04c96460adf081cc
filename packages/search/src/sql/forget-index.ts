import { defineStatement, literal, type Statement } from '@howdah/core'

/** Waits for a fold of the vocabulary, and keeps others out until the end of the transaction. */
export const lockWords: (schema: string, vocabulary: number) => Statement = defineStatement(
  'search.lock-words',
  (s) => /* sql */ `
    select pg_advisory_xact_lock(hashtext(${literal(`${s}.search_fold`)}), $1::int)`,
  (vocabulary) => [vocabulary],
)

/** Removes a vocabulary. */
export const forgetWords: (schema: string, vocabulary: number) => Statement = defineStatement(
  'search.forget-words',
  (s) => /* sql */ `
    with vocabulary as (
      delete from ${s}.search_vocabulary where index_id = $1::int returning id
    ), word as (
      delete from ${s}.search_word w using vocabulary v where w.vocabulary = v.id
    ), error_word as (
      delete from ${s}.search_error_word e using vocabulary v where e.vocabulary = v.id
    )
    delete from ${s}.search_word_log where index_id = $1::int`,
  (vocabulary) => [vocabulary],
)

/** Removes the rules of an index. */
export const forgetRules: (schema: string, index: number) => Statement = defineStatement(
  'search.forget-rules',
  (s) => /* sql */ `delete from ${s}.search_rules where index_id = $1::int`,
  (index) => [index],
)
