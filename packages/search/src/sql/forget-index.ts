import { defineStatement, type Statement } from '@howdah/core'

/** Removes the vocabulary and the rules of an index. */
export const forgetIndex: (schema: string, index: number) => Statement = defineStatement(
  'search.forget-index',
  (s) => /* sql */ `
    with vocabulary as (
      delete from ${s}.search_vocabulary where index_id = $1::int returning id
    ), word as (
      delete from ${s}.search_word w using vocabulary v where w.vocabulary = v.id
    ), error_word as (
      delete from ${s}.search_error_word e using vocabulary v where e.vocabulary = v.id
    ), log as (
      delete from ${s}.search_word_log where index_id = $1::int
    )
    delete from ${s}.search_rules where index_id = $1::int`,
  (index) => [index],
)
