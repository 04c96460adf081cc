import { defineStatement, type Statement } from '@howdah/core'
import type { ResultRule, Synonyms } from '../curation/rules.js'

/** The rules of one index. */
export interface RulesRow {
  readonly version: string
  readonly synonyms: readonly Synonyms[]
  readonly stopwords: readonly string[]
  readonly results: readonly ResultRule[]
}

/** Reads the rules of an index; no row while it has none. */
export const readRules: (schema: string, index: number) => Statement<RulesRow> = defineStatement(
  'search.read-rules',
  (s) => /* sql */ `
    select version::text as version, synonyms, stop_words as stopwords, results
    from ${s}.search_rules where index_id = $1::int`,
  (index) => [index],
)
