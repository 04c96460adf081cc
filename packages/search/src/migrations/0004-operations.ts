import { describeFunctions, describeView, type Migration } from '@howdah/core'
import { figuresFunction } from './functions/figures.js'
import { ABOUT_SEARCH, queryFunctions } from './functions/query.js'

/**
 * For those who look after a search: the log of its queries, a row a search, and `search_stats`, a plain view, so that who may read it needs no right to the
 * tables. The key of an index is what hashes of its queries are made with.
 */
export const operations: Migration = {
  version: 4,
  name: 'operations',
  up: (s) => [
    `alter table ${s}.search_index add column log_key text not null default gen_random_uuid()::text`,
    `create table ${s}.search_query_log (
      index_id int not null,
      at timestamptz not null default clock_timestamp(),
      tenant text collate "C" not null,
      query text collate "C" not null,
      hits bigint not null,
      ms real not null,
      corrected boolean not null
    )`,
    `create index search_query_log_at on ${s}.search_query_log (index_id, at)`,
    figuresFunction(s),
    statsView(s),
    ...queryFunctions(s),
    ...describeFunctions(s, ABOUT_SEARCH),
    ...describeView(`${s}.search_stats`, 'How each search index stands: a row an index.', COLUMNS),
  ],
  down: (s) => [
    `drop function ${s}.search(text, text, int, int, text)`,
    `drop function ${s}.search_normal(text)`,
    `drop function ${s}.search_phrase(tsvector, text)`,
    `drop function ${s}.search_steps(tsvector)`,
    `drop function ${s}.search_parse(text, text[])`,
    `drop view ${s}.search_stats`,
    `drop function ${s}.search_figures(int, int)`,
    `drop table ${s}.search_query_log`,
    `alter table ${s}.search_index drop column log_key`,
  ],
}

function statsView(s: string): string {
  return /* sql */ `create view ${s}.search_stats as
  select i.name as index, n.nspname || '.' || c.relname as indexed_table,
    f.documents, f.hot, f.segments, f.postings, f.words, f.document_bytes, f.posting_bytes, f.word_bytes,
    g.filled_at is null as filling, g.filled, coalesce(e.errors, 0)::int as errors, e.last_error_at
  from ${s}.search_index i
  join ${s}.search_generation g on g.index_id = i.id and g.generation = i.generation
  left join pg_catalog.pg_class c on c.oid = g.relation
  left join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  cross join lateral ${s}.search_figures(i.id, i.generation) f
  left join lateral (
    select count(*) as errors, max(o.occurred_at) as last_error_at from ${s}.search_error o where o.index_id = i.id
  ) e on true`
}

const COLUMNS = {
  index: 'Name of the index.',
  indexed_table: 'The table it indexes, with its schema; null once that is gone.',
  documents: 'Rows it has, counted exactly.',
  hot: 'Those among them that are in no segment yet, and versions that are no more; searches look at each.',
  segments: 'Segments that searches use.',
  postings: 'Words in segments, each once a segment; an estimate where there are many.',
  words: 'Different words of the vocabulary, for corrections and completions.',
  document_bytes: 'What the documents take, with their indexes.',
  posting_bytes: 'What postings and the lists of changes take.',
  word_bytes:
    'What the vocabulary takes: its share of tables that all indexes have together, an estimate.',
  filling: 'Whether rows that were there before the index are still being read.',
  filled: 'How many of those have been read.',
  errors:
    'Writes that the index could not follow, so that it needs a rebuild; at most 100 are kept.',
  last_error_at: 'When the last of them was.',
}
