import type { Migration } from '@howdah/core'

/**
 * What people who look after a search tell it: synonyms, words to pass over, results to pin or hide. A row for each index, for they are
 * few, read whole by every process, and replaced whole; the version, a new one at each change,
 * says whether what a process knows is still true.
 */
export const rules: Migration = {
  version: 3,
  name: 'rules',
  up: (s) => [
    `create table ${s}.search_rules (
      index_id int primary key,
      version uuid not null,
      synonyms jsonb not null default '[]',
      stop_words jsonb not null default '[]',
      results jsonb not null default '[]'
    )`,
  ],
  down: (s) => [`drop table ${s}.search_rules`],
}
