import { literal } from '@howdah/core'
import { lettersOfSql } from '../../language/letters.js'
import {
  MAX_QUERY_BEGINNINGS,
  MAX_QUERY_CHARACTERS,
  MAX_QUERY_CLAUSES,
} from '../../query/parse-query.js'

/** What `\s` of JavaScript matches, in a character class of PostgreSQL. */
export const SPACES_SQL =
  '\\t\\n\\v\\f\\r \\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000\\ufeff'
const QUOTES = '"“”„«»'

/**
 * The query language in SQL, as `query/parse-query.ts` and `query/steps.ts` have it; a test compares the two on random queries.
 *
 * - `search_parse` answers what a query names, in its order: branches are numbered from 0, and excluded things belong to none.
 * - `search_steps` answers the places of a text that have lexemes, and `search_phrase` all of them as text of a `tsquery`.
 * - `search_normal` answers a query in the form in which rules know it.
 * - `search` finds the index and asks its own function, which `native/ask.ts` makes.
 */
export function queryFunctions(s: string): string[] {
  const space = literal(`[${SPACES_SQL}]`)
  const notSpaces = literal(`^[^${SPACES_SQL}]*`)
  return [
    /* sql */ `create function ${s}.search_parse(_query text, _fields text[])
    returns table (kind text, text text, field text, branch int, excluded boolean)
    language plpgsql immutable parallel safe set search_path = pg_catalog, pg_temp as ${literal(/* sql */ `
declare
  rest text;
  stem text;
  colon int;
  clauses int := 0;
  beginnings int := 0;
begin
  branch := 0;
  -- Characters beyond 16 bits count as two, as in JavaScript.
  select string_agg(u.one, '' order by u.at) into rest
  from (
    select t.one, t.at, sum(case when ascii(t.one) > 65535 then 2 else 1 end) over (order by t.at) as used
    from string_to_table(left(_query, ${MAX_QUERY_CHARACTERS}), null) with ordinality t(one, at)
  ) u where u.used <= ${MAX_QUERY_CHARACTERS};
  while clauses < ${MAX_QUERY_CLAUSES} loop
    rest := regexp_replace(rest, ${literal(`^[${SPACES_SQL}]+`)}, '');
    exit when coalesce(rest, '') = '';
    -- Two signs are no exclusion but the name of an option, as in --verbose.
    excluded := rest ~ '^-(?!-)';
    if excluded then
      rest := substr(rest, 2);
    end if;
    field := null;
    colon := strpos(rest, ':');
    if colon > 0 and substr(rest, colon + 1, 1) <> '' and substr(rest, colon + 1, 1) !~ ${space} then
      select f into field from unnest(_fields) with ordinality o(f, at)
      where lower(f) = lower(left(rest, colon - 1)) order by at desc limit 1;
      if field is not null then
        rest := substr(rest, colon + 1);
      end if;
    end if;
    if strpos(${literal(QUOTES)}, left(rest, 1)) > 0 and rest <> '' then
      kind := 'phrase';
      text := (regexp_match(substr(rest, 2), ${literal(`^[^${QUOTES}]*`)}))[1];
      rest := substr(rest, length(text) + 3);
      continue when text !~ ${literal(`[^${SPACES_SQL}]`)};
    else
      stem := (regexp_match(rest, ${notSpaces}))[1];
      rest := substr(rest, length(stem) + 1);
      text := rtrim(stem, '*');
      kind := case when text = stem then 'word' else 'prefix' end;
      -- Signs alone name nothing.
      continue when text !~ ${literal(`[${lettersOfSql()}]`)};
    end if;
    if kind = 'prefix' then
      beginnings := beginnings + 1;
      kind := case when beginnings > ${MAX_QUERY_BEGINNINGS} then 'word' else kind end;
    end if;
    if not excluded and field is null and kind = 'word' and text = 'OR' then
      branch := branch + 1;
    else
      clauses := clauses + 1;
      return next;
    end if;
  end loop;
end`)}`,
    /* sql */ `create function ${s}.search_steps(document tsvector) returns table (at int, lexemes text[])
    language sql immutable parallel safe set search_path = pg_catalog, pg_temp as ${literal(/* sql */ `
      select p.position - min(p.position) over (), p.lexemes
      from (
        select u.position::int as position, array_agg(l.lexeme order by l.lexeme collate "C") as lexemes
        from unnest(document) l cross join unnest(l.positions) u(position) group by 1
      ) p order by 1`)}`,
    /* sql */ `create function ${s}.search_phrase(document tsvector, labels text) returns text
    language sql immutable parallel safe set search_path = pg_catalog, pg_temp as ${literal(/* sql */ `
      select string_agg(coalesce(' <' || gap || '> ', '') || case when cardinality(lexemes) > 1 then '( ' || step || ' )' else step end, '' order by at)
      from (
        select s.at, s.at - lag(s.at) over (order by s.at) as gap, s.lexemes,
          (select string_agg(${s}.search_quote(lexeme) || case when labels = '' then '' else ':' || labels end, ' | ')
           from unnest(s.lexemes) lexeme) as step
        from ${s}.search_steps(document) s
      ) steps`)}`,
    /* sql */ `create function ${s}.search_normal(query text) returns text
    language sql immutable parallel safe set search_path = pg_catalog, pg_temp as ${literal(/* sql */ `
      select btrim(regexp_replace(lower(
        case when getdatabaseencoding() = 'UTF8' then normalize(query, nfkc) else query end),
        ${literal(`[${SPACES_SQL}]+`)}, ' ', 'g'))`)}`,
    searchFunction(s),
  ]
}

const MAX_HITS = 1000
const MAX_SKIP = 1_000_000

function searchFunction(s: string): string {
  return /* sql */ `create function ${s}.search(index text, query text, hits int default 10, skip int default 0, mode text default 'any')
    returns table (key text, score double precision, "row" jsonb, total bigint)
    language plpgsql stable security invoker set search_path = pg_catalog, pg_temp as ${literal(/* sql */ `
declare
  ask text;
begin
  select format('%s.search_do_ask_%s_%s', ${literal(s)}, i.id, i.generation) into ask
  from ${s}.search_index i where i.name = search.index and i.generation > 0;
  if ask is null then
    raise undefined_object using message = format('There is no search index %L.', search.index),
      hint = 'Call attach() of @howdah/search, where the application starts.';
  end if;
  if mode is null or mode not in ('any', 'all') then
    raise invalid_parameter_value using message = 'mode must be any or all.';
  end if;
  if to_regproc(ask) is null then
    raise feature_not_supported using message = format('The search index %L cannot be asked in SQL.', search.index),
      hint = 'Call rebuild() of @howdah/search, if the index is of an older version.';
  end if;
  return query execute format('select a.key, a.score, a."row", a.total from %s($1, $2, $3, $4) a', ask)
    using coalesce(query, ''), mode = 'all', least(greatest(coalesce(hits, 10), 0), ${MAX_HITS}), least(greatest(coalesce(skip, 0), 0), ${MAX_SKIP});
end`)}`
}

/** What people read of `search`. */
export const ABOUT_SEARCH: Readonly<Record<string, string>> = {
  'search(text, text, integer, integer, text)': `Finds rows of a search index by words, "phrases", -excluded words, field:word, prefix* and OR, the best first, with their score and how many match in all; mode all wants every word. At most ${MAX_HITS} hits. Rows are pinned and hidden as rules say; typing errors are not corrected, and synonyms and stop words of rules not looked at. No query is an error.`,
}
