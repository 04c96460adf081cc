import { literal, type Migration } from '@howdah/core'

/**
 * The registry of indexes, and what all of them use. Each index has tables of its own, made by `attach()`.
 *
 * `search_document` turns a row's text into a `tsvector` and never fails: a text whose lexemes do not fit the 1 MB that a
 * `tsvector` may have is cut in half until they do.
 *
 * `search_terms` quotes a lexeme for a `tsquery`; `search_unit` is the condition for one unit of a query. Neither ever
 * parses what a user typed as a `tsquery`.
 */
export const initial: Migration = {
  version: 1,
  name: 'initial',
  up: (s) => [
    `create table ${s}.search_index (
      name text collate "C" primary key,
      id int not null unique generated always as identity,
      generation int not null,
      definition text not null,
      relation oid not null,
      attached_at timestamptz not null default now()
    )`,
    `create table ${s}.search_error (
      index_id int not null,
      occurred_at timestamptz not null default clock_timestamp(),
      code text not null,
      message text not null
    )`,
    `create index search_error_index on ${s}.search_error (index_id)`,
    `create function ${s}.search_document(
      config regconfig, a text, b text, c text, d text,
      out document tsvector, out length_a int, out length_b int, out length_c int, out length_d int,
      out problem text
    ) language plpgsql stable parallel safe as ${literal(`
    declare
      size int := 2147483647;
      vectors tsvector[];
    begin
      loop
        begin
          vectors := array[
            to_tsvector(config, left(a, size)), to_tsvector(config, left(b, size)),
            to_tsvector(config, left(c, size)), to_tsvector(config, left(d, size))];
          document := setweight(vectors[1], 'A') || setweight(vectors[2], 'B')
            || setweight(vectors[3], 'C') || setweight(vectors[4], 'D');
          length_a := ${s}.search_length(vectors[1]);
          length_b := ${s}.search_length(vectors[2]);
          length_c := ${s}.search_length(vectors[3]);
          length_d := ${s}.search_length(vectors[4]);
          return;
        exception when others then
          problem := sqlerrm;
          size := least(size, greatest(length(a), length(b), length(c), length(d))) / 2;
          exit when size < 1;
        end;
      end loop;
      document := '';
      length_a := 0; length_b := 0; length_c := 0; length_d := 0;
    end`)}`,
    `create function ${s}.search_length(document tsvector) returns int
    language sql immutable parallel safe as ${literal(`
      select coalesce(sum(cardinality(positions)), 0)::int from unnest(document)`)}`,
    `create function ${s}.search_quote(lexeme text) returns text
    language sql immutable strict parallel safe as ${literal(`
      select '''' || replace(replace(lexeme, E'\\\\', E'\\\\\\\\'), '''', '''''') || ''''`)}`,
    `create function ${s}.search_unit(config regconfig, words text, prefix boolean) returns tsquery
    language sql stable strict parallel safe as ${literal(`
      select case
        when prefix and cardinality(plain) = 1
          then (${s}.search_quote(plain[1]) || ':*')::tsquery || phraseto_tsquery(config, words)
        else phraseto_tsquery(config, words)
      end
      from (select tsvector_to_array(to_tsvector('pg_catalog.simple', words)) as plain) parsed`)}`,
  ],
  down: (s) => [
    `drop function ${s}.search_unit(regconfig, text, boolean)`,
    `drop function ${s}.search_quote(text)`,
    `drop function ${s}.search_document(regconfig, text, text, text, text)`,
    `drop function ${s}.search_length(tsvector)`,
    `drop table ${s}.search_error`,
    `drop table ${s}.search_index`,
  ],
}
