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
 * `search_quote` quotes a lexeme for a `tsquery`; `search_unit` is the condition for one unit of a query. Neither ever
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
    `create function ${s}.search_unit(config regconfig, words text, prefix boolean) returns tsquery
    language sql stable strict parallel safe as ${literal(`
      select case
        when prefix and cardinality(plain) = 1
          then (${s}.search_quote(plain[1]) || ':*')::tsquery || phraseto_tsquery(config, words)
        else phraseto_tsquery(config, words)
      end
      from (select tsvector_to_array(to_tsvector('pg_catalog.simple', words)) as plain) parsed`)}`,
    parseFunction(s),
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
    `drop function ${s}.search_parse(regconfig, text[], boolean[], boolean[], int[])`,
    `drop function ${s}.search_unit(regconfig, text, boolean)`,
    `drop function ${s}.search_quote(text)`,
    `drop function ${s}.search_document(regconfig, float8[], text, text, text, text)`,
    `drop table ${s}.search_error`,
    `drop table ${s}.search_generation`,
    `drop table ${s}.search_index`,
  ],
}

/** Words that a query is ranked by; further ones still match. */
const MAX_TERMS = 64

/**
 * What the units of a query are to the engine: its words, how much each counts and which unit it stands for; the conditions on a
 * document that is and is not wanted; and the units that end in a star. \`simple\` where the words and how many of the units
 * a row needs say all there is.
 */
function parseFunction(s: string): string {
  return `create function ${s}.search_parse(
      config regconfig, texts text[], prefixes boolean[], excluded boolean[], branches int[],
      out terms text[], out weights double precision[], out units int[], out need int, out simple boolean,
      out wanted tsquery, out unwanted tsquery, out stars tsquery[], out stems text[]
    ) language plpgsql stable parallel safe as ${literal(`
#variable_conflict use_column
begin
    with unit as materialized (
      select u.*, ${s}.search_unit(config, u.words, u.prefix) as query
      from unnest(texts, prefixes, excluded, branches) with ordinality u(words, prefix, excluded, branch, at)
    ), asked as materialized (
      select * from unit where not excluded and numnode(query) > 0
    ), term as (
      select l.lexeme, min(a.at) as at,
        coalesce(sum(cardinality(l.positions)) filter (where not a.prefix), 0)::float8 as times
      from asked a cross join lateral unnest(to_tsvector(config, a.words)) l
      group by l.lexeme
    ), ranked as (
      select lexeme, row_number() over (order by at, lexeme) as place, times from term
    ), shape as (
      select count(*) as asked_units, count(distinct branch) as branches,
        coalesce(bool_and(numnode(query) = 1 and not prefix), false) as words
      from asked
    ), total as (
      select count(*)::int as known from term
    )
    select array(select lexeme from ranked order by place),
      array(select case when place <= ${MAX_TERMS} then times else 0 end from ranked order by place),
      array(select (place - 1)::int from ranked order by place),
      case when shape.branches = 1 then greatest(total.known, 1) else 1 end,
      shape.words and total.known <= ${MAX_TERMS} and shape.branches in (1, shape.asked_units)
        and not exists (select from unit where excluded and numnode(query) > 0),
      (select string_agg(branch, ' | ')::tsquery from (
        select '(' || string_agg('(' || query::text || ')', ' & ') || ')' as branch from asked group by asked.branch) b),
      (select string_agg('(' || query::text || ')', ' | ')::tsquery from unit where excluded and numnode(query) > 0),
      array(select query from asked where prefix order by at),
      array(select p.plain from asked a
        cross join lateral unnest(tsvector_to_array(to_tsvector('pg_catalog.simple', a.words))) p(plain)
        where a.prefix)
    into terms, weights, units, need, simple, wanted, unwanted, stars, stems
    from shape, total;
end`)}`
}
