import { literal } from '@howdah/core'
import { eachPlane, type Generation } from './generation.js'
import {
  LIVING_VARIABLES,
  living,
  PLANS,
  postingOf,
  SCORE_VARIABLES,
  score,
  scored,
  weighed,
} from './score.js'
import { requireTenant, TENANT_MASK, tenantMasks, tenantQuery } from './tenant.js'

/** Parameters of the functions that are given a query: those of a `NativeQuery`. */
export const QUERY = `simple boolean, terms text[], weights double precision[], units int[], need int, wanted tsquery, unwanted tsquery,
      counted tsquery[], stars tsquery[], stems text[], seeks text[]`
/** The same as they are passed on. */
export const NAMES =
  'simple, terms, weights, units, need, wanted, unwanted, counted, stars, stems, seeks'

/** Parameters of `match`; the last ones, which leave what filters allow, are null for an engine without masks. */
export const MATCH: string = `${QUERY}, cut varbit[], chosen tsquery`
/** Parameters of `search`; `filter` is null for an engine without masks. */
export const SEARCH: string = `${QUERY}, filter jsonb, k int`

/**
 * Every document that matches a query, with its score: for what the planes cannot answer, such as phrases, and for counting, filtering
 * and sorting all that matches, of which `cut` and `chosen` leave what filters allow. A word with a star counts like one that stands once in a document of average length, as it may stand for many.
 */
export function matchFunction(generation: Generation): string {
  const { schema, names, definition } = generation
  const tenants = definition.tenant !== undefined
  const body = `
declare
  ${LIVING_VARIABLES}
  ${SCORE_VARIABLES}
  slots_ int[];
  kept_ boolean[];
  anything tsquery;
begin
  if wanted is null then
    return;
  end if;
  ${requireTenant(generation)}
  ${tenantMasks(generation)}
  ${weighed(generation)}
  anything := (select string_agg('(' || one::text || ')', ' | ')::tsquery from unnest(array[wanted] || stars) one);
  -- A beginning is as rare as it is among all that has it, so nothing is cut before that is known.
  select array_agg(o.slot), array_agg(o.kept) into slots_, kept_
  from (
    select o.slot, bool_or(cut is null or coalesce(get_bit(s.kept, (o.slot - s.base)::int), 0) = 1) as kept
    from (
      select s.segment, s.base, cut[s.at] as kept${tenants ? ', own[s.at] as owned' : ''} from (
        select s.segment, s.base, row_number() over (order by s.base) as at
        from ${names.segment} s where s.state = 'ready' and s.newest > cleared
      ) s offset 0
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
    ${tenants ? 'where get_bit(s.owned, (o.slot - s.base)::int) = 1' : ''}
    group by o.slot
  ) o where o.kept or cardinality(stars) > 0;
  return query
  with candidate as materialized (
    select ${scored('d')}, d.slot, d.number, s.kept from unnest(slots_, kept_) s(slot, kept)
    cross join lateral (select * from ${names.document} d where d.slot = s.slot limit 1) d
    where ${living(generation, 'd')}
    union all
    select ${scored('h')}, null, h.number, chosen is null or h.document @@ chosen from ${names.hot} h
    where h.document @@ ${tenants ? `(anything && ${tenantQuery(generation)})` : 'anything'} and ${living(generation, 'h')}
  ), star as materialized (
    select one.query, ln(1 + greatest(0, documents - f.found + 0.5) / (f.found + 0.5)) as weight
    from unnest(stars) one(query)
    cross join lateral (select count(*)::float8 as found from candidate c where c.document @@ one.query) f
  )
  select c.key, ${score(generation, 'c')}
    + (select coalesce(sum(star.weight), 0) from star where c.document @@ star.query), c.slot, c.number
  from candidate c
  where c.kept and ${fits('c')};
end`
  return `create function ${names.functions.match}(${MATCH}${tenants ? ', whose text default null, own varbit[] default null' : ''})
    returns table (key text, score double precision, slot bigint, number bigint)
    language plpgsql stable ${PLANS} as ${literal(body)}`
}

/** Whether a document is one that the query asks for. */
export function fits(alias: string): string {
  return `${alias}.document @@ wanted and (unwanted is null or not ${alias}.document @@ unwanted)
    and (cardinality(counted) = 0 or need <= (select count(*) from unnest(counted) one where ${alias}.document @@ one))`
}

/** The best k and how many match, by whichever way is exact for the query. */
export function searchFunction(generation: Generation): string {
  const { names, definition } = generation
  const tenants = definition.tenant !== undefined
  const more = tenants ? ', whose, own' : ''
  const body = `
declare
  cut varbit[];
  chosen tsquery;${tenants ? ' own varbit[]; tenants tsquery;' : ''}
begin
  ${tenants ? ownMask(generation) : ''}
  if filter is not null then
    select c.masks, c.hot into cut, chosen from ${names.functions.cut}(filter) c;
  end if;
  ${tenants ? ownCut() : ''}
  if simple then
    select f.keys, f.scores, f.total into keys, scores, total
    from ${names.functions.find}(terms, weights, units, need, k, cut, chosen${more}) f;
    return;
  end if;
  with found as materialized (
    select m.key, m.score from ${names.functions.match}(${NAMES}, cut, chosen${more}) m
  ), best as (
    select f.key, f.score from found f order by f.score desc, f.key collate "C" limit k
  )
  select (select array_agg(b.key order by b.score desc, b.key collate "C") from best b),
    (select array_agg(b.score order by b.score desc, b.key collate "C") from best b),
    (select count(*) from found)
  into keys, scores, total;
end`
  return `create function ${names.functions.search}(${SEARCH}${tenants ? ', whose text default null' : ''},
      out keys text[], out scores double precision[], out total bigint
    ) language plpgsql stable ${PLANS} as ${literal(body)}`
}

/** Sets the masks of the tenant's rows, and what its hot ones match. */
function ownMask(generation: Generation): string {
  return `${requireTenant(generation)}
  select c.masks, c.hot into own, tenants from ${generation.names.functions.cut}(${TENANT_MASK}) c;`
}

/** What filters allow of these. */
function ownCut(): string {
  return `if cut is null then
    cut := own;
  else
    cut := array(select a & b from unnest(own, cut) with ordinality o(a, b, at) order by at);
  end if;
  chosen := case when chosen is null then tenants else chosen && tenants end;`
}
