import { ident, literal } from '@howdah/core'
import { tableOf } from '../names.js'
import { normOf } from '../native/documents.js'
import { CANONICAL, type Generation } from '../native/generation.js'
import { MATCH } from '../native/match.js'
import { PLANS, SCORE_VARIABLES, score } from '../native/score.js'
import { columnsOf } from './columns.js'

/**
 * Every row that matches a query, with its score. How many rows there are, how long they are and how many have a word is read from the table in
 * the caller's snapshot and under the caller's rights, so scores are exact, and where policies hide rows, they are those of the rows one may see.
 */
export function matchFunction(generation: Generation): string {
  const { schema, definition, names } = generation
  const { document, length } = columnsOf(generation)
  const table = tableOf(definition)
  const key = ident(definition.key)
  const found = (query: string) =>
    `(select count(*)::float8 as found from ${table} r where r.${document} @@ ${query})`
  const idf = 'ln(1 + greatest(0, documents - f.found + 0.5) / (f.found + 0.5))'
  const body = `
declare
  ${SCORE_VARIABLES}
begin
  if wanted is null then
    return;
  end if;
  select count(r.${length})::float8, coalesce(nullif(sum(r.${length}), 0) / nullif(count(r.${length}), 0), 1)
  into documents, mean from ${table} r where r.${length} is not null;
  q := array(
    select ${schema}.search_quote(t.term)::tsquery from unnest(terms) with ordinality t(term, at) order by t.at);
  idf := array(
    select t.weight * ${idf} from unnest(weights, q) with ordinality t(weight, query, at)
    cross join lateral ${found('t.query')} f order by t.at);
  return query
  with candidate as materialized (
    select r.${key}::text collate "C" as key, r.${document} as document, ${normOf(`r.${length}`)} as norm
    from ${table} r
    where r.${document} @@ wanted and (unwanted is null or not r.${document} @@ unwanted)
      and (cardinality(counted) = 0 or need <= (select count(*) from unnest(counted) one where r.${document} @@ one))
  ), star as materialized (
    select one.query, ${idf} as weight from unnest(stars) one(query) cross join lateral ${found('one.query')} f
  )
  select c.key, ${score(generation, 'c')}
    + (select coalesce(sum(star.weight), 0) from star where c.document @@ star.query)
  from candidate c;
end`
  return `create function ${names.functions.match}(${MATCH})
    returns table (key text, score double precision)
    language plpgsql stable ${PLANS} ${CANONICAL.map((setting) => `set ${setting}`).join(' ')}
    as ${literal(body)}`
}
