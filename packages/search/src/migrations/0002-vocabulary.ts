import type { Migration } from '@howdah/core'
import { textFunctions } from './functions/text.js'
import { deletesOf, vocabularyFunctions } from './functions/vocabulary.js'

/**
 * The words of the documents, unstemmed, with how many documents have them: what typing errors are corrected to and beginnings completed to.
 *
 * - An index has a vocabulary for each tenant, or one for the tenant ''.
 * - `search_word_log` is what writers noted and is not yet added up: the text of a document that came (sign 1) or went (-1), or, from
 *   filling an index, words with how many documents have them.
 * - `search_error_word` stands apart from `search_word`, so that a count that changes touches no index. Its index takes the words of a fold
 *   as a list, and puts them in order at the fold's end, which takes half the time of one after the other.
 */
export const vocabulary: Migration = {
  version: 2,
  name: 'vocabulary',
  up: (s) => [
    `create table ${s}.search_vocabulary (
      id int not null unique generated always as identity,
      index_id int not null,
      tenant text collate "C" not null,
      primary key (index_id, tenant)
    )`,
    `create table ${s}.search_word (
      vocabulary int not null,
      word text collate "C" not null,
      documents int not null,
      primary key (vocabulary, word)
    ) with (fillfactor = 80)`,
    `create table ${s}.search_error_word (
      vocabulary int not null,
      word text collate "C" not null,
      primary key (vocabulary, word)
    )`,
    `create table ${s}.search_word_log (
      index_id int not null,
      id bigint not null generated always as identity,
      tenant text collate "C" not null,
      sign int,
      text text,
      words text[],
      counts int[],
      primary key (index_id, id)
    )`,
    ...textFunctions(s),
    ...vocabularyFunctions(s),
    `create index search_error_word_deletes on ${s}.search_error_word using gin ((${deletesOf(s)}))`,
  ],
  down: (s) => [
    `drop index ${s}.search_error_word_deletes`,
    `drop function ${s}.search_fold(int, int, int)`,
    `drop function ${s}.search_look_up(int, text, text[], int[], text[], int)`,
    `drop function ${s}.search_completions(int, text, int)`,
    `drop function ${s}.search_near(int, text, int)`,
    `drop function ${s}.search_deletes(int, text, int)`,
    `drop function ${s}.search_tokens(text)`,
    `drop function ${s}.search_is_word(text)`,
    `drop function ${s}.search_lexemes(text)`,
    `drop function ${s}.search_text(text)`,
    `drop table ${s}.search_word_log`,
    `drop table ${s}.search_error_word`,
    `drop table ${s}.search_word`,
    `drop table ${s}.search_vocabulary`,
  ],
}
