import { type Statement, statementName } from '@howdah/core'
import { configOf, indexedText, type Language, plainText } from '../language/language.js'

/** What a text consists of. */
export interface AnalysisRow {
  /** Its lexemes with their positions, as a document would have them. */
  readonly lexemes: readonly (readonly [lexeme: string, positions: readonly number[]])[]
  /** Its words in their order, as the vocabulary has them. */
  readonly words: readonly string[]
}

/** Makes the statement that analyses texts, in their order, with PostgreSQL's parser and the dictionaries of a language. */
export function analyzeTexts(
  s: string,
  language: Language,
): (texts: readonly string[]) => Statement<AnalysisRow> {
  const text = /* sql */ `
    select
      (select coalesce(json_agg(json_build_array(l.lexeme, l.positions)), '[]')
       from unnest(to_tsvector(${configOf(language)}, ${indexedText(s, language, 't.text')})) l) as lexemes,
      (select coalesce(json_agg(word), '[]')
       from ${s}.search_tokens(${plainText(language, 't.text')}) word) as words
    from unnest($1::text[]) with ordinality as t(text, n)
    order by t.n`
  const name = statementName('search.analyze-texts', text)
  return (texts) => ({ name, text, values: [texts] })
}
