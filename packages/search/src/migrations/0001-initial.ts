import { literal, type Migration } from '@howdah/core'

/** Lengths of the bit planes that are made bit by bit; longer ones are put together of these. */
const PLANE_LENGTHS = [512, 4096, 32_768]

/**
 * The registry of indexes and their generations, and what all of them use. Each generation has tables and functions of its own, made
 * by `attach()`.
 *
 * `search_document` turns a row's text into a `tsvector` and never fails: a text whose lexemes do not fit the 1 MB that a
 * `tsvector` may have is cut in half until they do.
 *
 * `search_quote` quotes a lexeme for a `tsquery`.
 */
export const initial: Migration = {
  version: 1,
  name: 'initial',
  up: (s) => [
    `create table ${s}.search_index (
      name text collate "C" primary key,
      id int not null unique generated always as identity,
      generation int not null,
      attached_at timestamptz not null default now()
    )`,
    `create table ${s}.search_generation (
      index_id int not null,
      generation int not null,
      definition text not null,
      relation oid not null,
      last_key text,
      filled bigint not null default 0,
      filled_at timestamptz,
      vocabulary int not null unique generated always as identity,
      primary key (index_id, generation)
    )`,
    `create table ${s}.search_error (
      index_id int not null,
      occurred_at timestamptz not null default clock_timestamp(),
      code text not null,
      message text not null
    )`,
    `create index search_error_index on ${s}.search_error (index_id)`,
    `create function ${s}.search_document(
      config regconfig, weights float8[], a text, b text, c text, d text,
      out document tsvector, out length float8, out problem text
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
          select sum(w.weight * cardinality(u.positions)) into length
          from unnest(vectors, weights) w(vector, weight), unnest(w.vector) u;
          length := coalesce(length, 0);
          return;
        exception when others then
          problem := sqlerrm;
          size := least(size, greatest(length(a), length(b), length(c), length(d))) / 2;
          exit when size < 1;
        end;
      end loop;
      document := '';
      length := 0;
    end`)}`,
    `create function ${s}.search_quote(lexeme text) returns text
    language sql immutable strict parallel safe as ${literal(`
      select '''' || replace(replace(lexeme, E'\\\\', E'\\\\\\\\'), '''', '''''') || ''''`)}`,
    `create aggregate ${s}.search_concat(varbit) (sfunc = bitcat, stype = varbit, parallel = safe)`,
    `create aggregate ${s}.search_concat(anycompatiblearray) (
      sfunc = array_cat, stype = anycompatiblearray, parallel = safe)`,
    ...PLANE_LENGTHS.map(
      (length) => `create aggregate ${s}.search_plane_${length}(int, int) (
      sfunc = set_bit, stype = bit, initcond = 'x${'0'.repeat(length / 4)}', parallel = safe)`,
    ),
    // Where the ones are: through hexadecimal digits, of which long runs of zeros are one piece.
    `create function ${s}.search_ones(bits varbit) returns setof int
    language sql immutable strict parallel safe as ${literal(`
      select (4 * (start + at - 1) + bit)::int
      from (
        select start, at, strpos('0123456789abcdef', substr(piece, at, 1)) - 1 as digit
        from (
        select piece, sum(length(piece) + 32) over (rows unbounded preceding) - length(piece) - 32 as start
        from string_to_table(replace(encode(substring(varbit_send(bits) from 5), 'hex'), repeat('0', 32), 'x'), 'x') piece
        ) pieces
        cross join lateral generate_series(1, length(piece)) at
        where piece <> '' and substr(piece, at, 1) <> '0'
        offset 0
      ) digits
      cross join generate_series(0, 3) bit
      where digit & (8 >> bit) <> 0`)}`,
  ],
  down: (s) => [
    `drop function ${s}.search_ones(varbit)`,
    ...PLANE_LENGTHS.map((length) => `drop aggregate ${s}.search_plane_${length}(int, int)`),
    `drop aggregate ${s}.search_concat(anycompatiblearray)`,
    `drop aggregate ${s}.search_concat(varbit)`,
    `drop function ${s}.search_quote(text)`,
    `drop function ${s}.search_document(regconfig, float8[], text, text, text, text)`,
    `drop table ${s}.search_error`,
    `drop table ${s}.search_generation`,
    `drop table ${s}.search_index`,
  ],
}
