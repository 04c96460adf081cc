import { type Language, plainText } from '../language/language.js'
import { MAX_DOCUMENT } from '../migrations/functions/text.js'

/** Words in one row of the log, so that a fold is never long. */
const WORDS_PER_ROW = 5000

/** What is noted of documents. */
export interface NotedTexts {
  readonly index: number
  readonly language: Language
  /**
   * A query for the texts of documents: `text`, `sign` (1 for one that came, -1 for one that went) and `tenant`, the empty text where there
   * is none. A document that changed is in it twice.
   */
  readonly from: string
}

/**
 * Statement for the trigger of an index that notes the texts of documents in the log of the vocabulary, as a part of the writer's
 * transaction. It only inserts, and leaves everything else to the fold: also to find the words, which would cost the writer as much as the index.
 */
export function noteWords(s: string, { index, language, from }: NotedTexts): string {
  return /* sql */ `insert into ${s}.search_word_log (index_id, tenant, sign, text)
    select ${index}, t.tenant, t.sign, coalesce(left(${plainText(language, 't.text')}, ${MAX_DOCUMENT}), '')
    from (${from}) t`
}

/** The same for filling an index: adds the words up at once, so that the log does not become as large as the table. */
export function countWords(s: string, { index, language, from }: NotedTexts): string {
  return /* sql */ `insert into ${s}.search_word_log (index_id, tenant, words, counts)
    select ${index}, counted.tenant, array_agg(counted.word), array_agg(counted.count)
    from (
      select t.tenant, w.word, sum(t.sign)::int as count,
        row_number() over (partition by t.tenant order by w.word) / ${WORDS_PER_ROW} as part
      from (${from}) t cross join lateral unnest(${s}.search_lexemes(${plainText(language, 't.text')})) w(word)
      where ${s}.search_is_word(w.word)
      group by t.tenant, w.word
    ) counted
    group by counted.tenant, counted.part`
}

/** Statement that voids what the vocabulary has: for a truncated table, and before it is filled anew. Others must be kept from the table. */
export function voidWords(s: string, index: number): string {
  return /* sql */ `insert into ${s}.search_word_log (index_id, tenant) values (${index}, '')`
}
