import { literal } from '@howdah/core'
import { CJK_MARKS_SQL, CJK_SQL } from '../../language/cjk.js'

/** Longest word that the vocabulary holds, and longest with a digit in it, where most are numbers of things rather than words. */
const MAX_WORD = 40
const MAX_WORD_WITH_DIGIT = 12
/** Characters of a document whose words are counted. */
export const MAX_DOCUMENT = 80_000

/**
 * - `search_text` cuts CJK into overlapping pairs of characters with spaces between: PostgreSQL's parser would take a whole sentence for
 *   one word. Characters inside a run are doubled, which leaves the pairs standing side by side. Text in ASCII is returned as it is.
 * - `search_lexemes` answers what a text has for the vocabulary, each once, unstemmed and in lower case: the cheapest that PostgreSQL can
 *   make of it. Of a long text it is the beginning, which always fits the 1 MB of a `tsvector`.
 * - `search_is_word` tells which of them are words: neither numbers, addresses and the like nor CJK.
 * - `search_tokens` answers the words of a query in their order.
 */
export function textFunctions(s: string): string[] {
  const inside = literal(`(?<=[${CJK_SQL}])([${CJK_SQL}])(?=[${CJK_SQL}])`)
  const edge = literal(
    `(?<=[${CJK_SQL}])(?=[^\\s${CJK_SQL}])|(?<=[^\\s${CJK_SQL}])(?=[${CJK_SQL}])`,
  )
  return [
    /* sql */ `create function ${s}.search_text(document text) returns text
    language sql immutable parallel safe as ${literal(/* sql */ `
      select case
        when octet_length(document) = length(document) or document !~ ${literal(`[${CJK_SQL}]`)} then document
        else regexp_replace(regexp_replace(
          regexp_replace(document, ${literal(`[${CJK_MARKS_SQL}]+`)}, ' ', 'g'),
          ${inside}, ${literal('\\1 \\1')}, 'g'), ${edge}, ' ', 'g')
      end`)}`,
    /* sql */ `create function ${s}.search_lexemes(document text) returns text[]
    language sql immutable parallel safe as ${literal(/* sql */ `
      select tsvector_to_array(to_tsvector('pg_catalog.simple', left(document, ${MAX_DOCUMENT})))`)}`,
    /* sql */ `create function ${s}.search_is_word(lexeme text) returns boolean
    language sql immutable parallel safe as ${literal(/* sql */ `
      select length(lexeme) between 2 and ${MAX_WORD} and lexeme !~ '[-./@:_+&]'
        and (lexeme !~ '[0-9]' or lexeme !~ '^[0-9]+$' and length(lexeme) <= ${MAX_WORD_WITH_DIGIT})
        and (octet_length(lexeme) = length(lexeme) or lexeme !~ ${literal(`[${CJK_SQL}]`)})`)}`,
    /* sql */ `create function ${s}.search_tokens(document text) returns setof text
    language sql stable parallel safe as ${literal(/* sql */ `
      select lower(token) from ts_parse('pg_catalog.default', document)
      where tokid in (1, 2, 3, 9, 10, 11) and ${s}.search_is_word(lower(token))`)}`,
  ]
}
