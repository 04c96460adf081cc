import { literal } from '@howdah/core'
import { CJK_MARKS_SQL, CJK_SQL } from '../../language/cjk.js'

/** Longest word that the vocabulary holds, and longest with a digit in it, where most are numbers of things rather than words. */
const MAX_WORD = 40
const MAX_WORD_WITH_DIGIT = 12

/**
 * - `search_text` cuts CJK into overlapping pairs of characters with spaces between: PostgreSQL's parser would take a whole sentence for
 *   one word. Characters inside a run are doubled, which leaves the pairs standing side by side. Text in ASCII is returned as it is.
 * - `search_tokens` answers the words of a text in their order, unstemmed and in lower case: what the vocabulary is made of. Neither
 *   numbers, addresses and the like nor CJK are words here. It has no limit of size and never fails.
 * - `search_words` answers each of them once.
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
    /* sql */ `create function ${s}.search_tokens(document text) returns setof text
    language sql stable parallel safe as ${literal(/* sql */ `
      select lower(token) from ts_parse('pg_catalog.default', document)
      where length(token) between 2 and ${MAX_WORD} and case
        when tokid in (1, 11) then true
        when tokid in (2, 10) then token !~ ${literal(`[${CJK_SQL}]`)}
        when tokid in (3, 9) then length(token) <= ${MAX_WORD_WITH_DIGIT} and token !~ ${literal(`[${CJK_SQL}]`)}
        else false
      end`)}`,
    /* sql */ `create function ${s}.search_words(document text) returns setof text
    language sql stable parallel safe as ${literal(/* sql */ `
      select distinct word from ${s}.search_tokens(document) word`)}`,
  ]
}
