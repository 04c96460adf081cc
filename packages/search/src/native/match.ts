import { literal } from '@howdah/core'
import { eachPlane, type Generation } from './generation.js'
import {
  living,
  livingVariables,
  PLANS,
  postingOf,
  SCORE_VARIABLES,
  score,
  scored,
  weighed,
} from './score.js'

/** Parameters of the functions that are given a query: those of a `NativeQuery`. */
export const QUERY = `simple boolean, terms text[], weights double precision[], units int[], need int, wanted tsquery, unwanted tsquery,
      counted tsquery[], stars tsquery[], stems text[], seeks text[]`

/** Their names, to hand them on. */
export const QUERY_NAMES =
  'simple, terms, weights, units, need, wanted, unwanted, counted, stars, stems, seeks'

/**
 * Every document that matches a query, with its score: for what the planes cannot answer, such as phrases, and for counting, filtering
 * and sorting all that matches. A word with a star counts like one that stands once in a document of average length, as it may stand for many.
 */
export function matchFunction(generation: Generation): string {
  const { schema, names } = generation
  const body = `
declare
  ${livingVariables(generation)}
  ${SCORE_VARIABLES}
  slots_ int[];
  anything tsquery;
begin
  if wanted is null then
    return;
  end if;
  ${weighed(generation)}
  anything := (select string_agg('(' || one::text || ')', ' | ')::tsquery from unnest(array[wanted] || stars) one);
  slots_ := array(
    select distinct o.slot
    from (
      select s.segment, s.base from ${names.segment} s where s.state = 'ready' and s.newest > cleared
    ) s
    cross join lateral (
      select p.* from unnest(seeks) t(term) ${postingOf(names.posting)}
      union all
      select p.* from unnest(stems) t(stem)
      join ${names.posting} p on p.segment = s.segment and p.term >= t.stem collate "C" and p.term < (t.stem || chr(1114111)) collate "C"
    ) p
    cross join lateral (
      select unnest(p.slots) as slot
      union all
      select (s.base + one)::int from ${schema}.search_ones(${eachPlane((plane) => `p.plane_${plane}`, ' | ')}) one
    ) o
  );
  return query
  with candidate as materialized (
    select ${scored('d')} from unnest(slots_) s(slot)
    cross join lateral (select * from ${names.document} d where d.slot = s.slot limit 1) d
    where ${living(generation, 'd')}
    union all
    select ${scored('h')} from ${names.hot} h where h.document @@ anything and ${living(generation, 'h')}
  ), star as materialized (
    select one.query, ln(1 + greatest(0, documents - f.found + 0.5) / (f.found + 0.5)) as weight
    from unnest(stars) one(query)
    cross join lateral (select count(*)::float8 as found from candidate c where c.document @@ one.query) f
  )
  select c.key, ${score(generation, 'c')}
    + (select coalesce(sum(star.weight), 0) from star where c.document @@ star.query)
  from candidate c
  where c.document @@ wanted and (unwanted is null or not c.document @@ unwanted)
    and (cardinality(counted) = 0 or need <= (select count(*) from unnest(counted) one where c.document @@ one));
end`
  return `create function ${names.functions.match}(${QUERY})
    returns table (key text, score double precision)
    language plpgsql stable ${PLANS} as ${literal(body)}`
}

/** The best k and how many match, by whichever way is exact for the query. */
export function searchFunction(generation: Generation): string {
  const { names } = generation
  const body = `
begin
  if simple then
    select f.keys, f.scores, f.total into keys, scores, total
    from ${names.functions.find}(terms, weights, units, need, k) f;
    return;
  end if;
  with found as materialized (
    select m.key, m.score from ${names.functions.match}(${QUERY_NAMES}) m
  ), best as (
    select f.key, f.score from found f order by f.score desc, f.key limit k
  )
  select (select array_agg(b.key order by b.score desc, b.key) from best b),
    (select array_agg(b.score order by b.score desc, b.key) from best b),
    (select count(*) from found)
  into keys, scores, total;
end`
  return `create function ${names.functions.search}(${QUERY}, k int,
      out keys text[], out scores double precision[], out total bigint
    ) language plpgsql stable ${PLANS} as ${literal(body)}`
}
