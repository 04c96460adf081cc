import type { Language } from '../language/language.js'
import { plainText } from '../language/language.js'

/** Words in one row of the log, so that a fold is never long, however many rows one statement wrote. */
const WORDS_PER_ROW = 5000

/** What {@link noteWords} notes. */
export interface NotedTexts {
  readonly index: number
  readonly language: Language
  /**
   * A query for the texts of documents: `text`, `sign` (1 for one that came, -1 for one that went) and `tenant`, the empty text where there
   * is none. A document that changed is in it twice, and only the words that came and went are noted.
   */
  readonly from: string
}

/**
 * Statement, for the trigger of an index or for filling it, that notes the words of documents in the log of the vocabulary, as a part of
 * the writer's transaction. It only inserts.
 */
export function noteWords(s: string, { index, language, from }: NotedTexts): string {
  return /* sql */ `insert into ${s}.search_word_log (index_id, tenant, words, counts)
    select ${index}, noted.tenant, array_agg(noted.word), array_agg(noted.count)
    from (
      select t.tenant, w.word, sum(t.sign)::int as count,
        row_number() over (partition by t.tenant order by w.word) / ${WORDS_PER_ROW} as part
      from (${from}) t cross join lateral ${s}.search_words(${plainText(language, 't.text')}) w(word)
      group by t.tenant, w.word having sum(t.sign) <> 0
    ) noted
    group by noted.tenant, noted.part`
}

/** Statement that voids what the vocabulary has: for a truncated table, and before it is filled anew. Others must be kept from the table. */
export function voidWords(s: string, index: number): string {
  return /* sql */ `insert into ${s}.search_word_log (index_id, tenant) values (${index}, '')`
}
