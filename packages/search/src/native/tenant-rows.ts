import { ident, literal } from '@howdah/core'
import { tableOf } from '../names.js'
import { valueWord } from './attributes.js'
import { eachPlane, type Generation } from './generation.js'
import { QUERY } from './match.js'
import {
  living,
  livingVariables,
  PLANS,
  postingOf,
  SCORE_VARIABLES,
  score,
  scored,
} from './score.js'
import { requireTenant, sumOfLengths, tenantAttribute, tenantMasks, tenantQuery } from './tenant.js'

/** Rows that are looked at to see whether somebody sees the tenant's: so many hot ones, and of each of the newest segments so many, from all over it. */
const HOT_LOOKED_AT = 3
const LOOKED_AT = 4
const SEGMENTS_LOOKED_AT = 3

/**
 * What a search must know before it is planned: the word of a tenant's value, how many documents the tenant has, whether policies bind the caller, and,
 * where `looking`, of how many live rows the caller sees how many. Their keys are taken from our tables, so nothing is scanned for them.
 */
export function tenantFunction(generation: Generation): string {
  const { names, definition, keyType, attributes } = generation
  const attribute = tenantAttribute(attributes)
  const table = tableOf(definition)
  const part = (bits: string) =>
    `substring(${bits} from part * s.size / ${LOOKED_AT} + 1 for s.size / ${LOOKED_AT})`
  const alive = `(${part('p.held')} & coalesce(~${part('s.dead')}, ('x' || repeat('f', s.size / ${4 * LOOKED_AT}))::varbit))`
  const body = `
declare
  ${livingVariables(generation)}
  keys text[];
begin
  whose := ${valueWord(attribute, `value::${attribute.type}`)};
  documents := coalesce((
    select sum(t.documents) from ${names.tally} t where t.tenant = whose and t.at > cleared), 0);
  secured := row_security_active(${literal(table)});
  looked := 0;
  seen := 0;
  if not looking or not secured then
    return;
  end if;
  keys := array(
    (select h.key from ${names.hot} h
    where h.document @@ ${tenantQuery(generation)} and ${living(generation, 'h')} limit ${HOT_LOOKED_AT})
    union all
    (select d.key
    from (
      select s.segment, s.base, s.size, s.dead from ${names.segment} s
      where s.state = 'ready' and s.newest > cleared order by s.base desc offset 0
    ) s
    cross join unnest(array[whose]) t(term)
    ${postingOf(names.posting)}
    cross join lateral (
      select distinct case when p.slots is not null then p.slots[1 + part * (cardinality(p.slots) - 1) / ${LOOKED_AT - 1}]
        else s.base + part * s.size / ${LOOKED_AT} + nullif(position(B'1' in ${alive}), 0) - 1 end as slot
      from generate_series(0, ${LOOKED_AT - 1}) part
    ) o
    cross join lateral (select * from ${names.document} d where d.slot = o.slot limit 1) d
    where ${living(generation, 'd')} limit ${LOOKED_AT * SEGMENTS_LOOKED_AT}));
  looked := cardinality(keys);
  seen := (
    select count(*) from unnest(keys) one(key)
    cross join lateral (
      select from ${table} live where live.${ident(definition.key)} = one.key::${keyType} limit 1) live);
end`
  return `create function ${names.functions.tenant}(value text, looking boolean,
      out whose text, out documents bigint, out secured boolean, out looked int, out seen int
    ) language plpgsql stable ${PLANS} as ${literal(body)}`
}

/**
 * Every document of a tenant that matches a query, or that is not excluded by it, with its score: for tenants that have few, where it costs less to look at each than
 * to begin with the words of everybody.
 */
export function ownFunction(generation: Generation): string {
  const { schema, names } = generation
  const body = `
declare
  ${livingVariables(generation)}
  ${SCORE_VARIABLES}
  keys text[]; vectors tsvector[]; lengths double precision[];
begin
  select array_agg(o.key), array_agg(o.document), array_agg(o.length), ${sumOfLengths('sum(o.length)')}
  into keys, vectors, lengths, mean
  from (
    select d.key, d.document, d.length
    from (
      select s.segment, s.base from ${names.segment} s where s.state = 'ready' and s.newest > cleared offset 0
    ) s
    cross join unnest(array[whose]) t(term)
    ${postingOf(names.posting)}
    cross join lateral (
      select unnest(p.slots) as slot
      union all
      select (s.base + one)::int from ${schema}.search_ones(p.held) one
    ) o
    cross join lateral (select * from ${names.document} d where d.slot = o.slot limit 1) d
    where ${living(generation, 'd')}
    union all
    select h.key, h.document, h.length from ${names.hot} h
    where h.document @@ ${tenantQuery(generation)} and ${living(generation, 'h')}
  ) o;
  documents := coalesce(cardinality(keys), 0);
  if documents = 0 or (wanted is null and not everything) then
    return;
  end if;
  mean := coalesce(nullif(mean, 0) / documents, 1);
  q := array(
    select ${schema}.search_quote(t.term)::tsquery from unnest(terms) with ordinality t(term, at) order by t.at);
  idf := array(
    select t.weight * ln(1 + greatest(0, documents - f.found + 0.5) / (f.found + 0.5))
    from unnest(q, weights) with ordinality t(query, weight, at)
    cross join lateral (
      select count(*)::float8 as found from unnest(vectors) one(document) where one.document @@ t.query) f
    order by t.at);
  return query
  with candidate as (
    select ${scored('d')} from unnest(keys, vectors, lengths) d(key, document, length)
  ), star as materialized (
    select one.query, ln(1 + greatest(0, documents - f.found + 0.5) / (f.found + 0.5)) as weight
    from unnest(stars) one(query)
    cross join lateral (select count(*)::float8 as found from candidate c where c.document @@ one.query) f
  )
  select c.key, ${score(generation, 'c')}
    + (select coalesce(sum(star.weight), 0) from star where c.document @@ star.query)
  from candidate c
  where (everything or c.document @@ wanted) and (unwanted is null or not c.document @@ unwanted)
    and (cardinality(counted) = 0 or need <= (select count(*) from unnest(counted) one where c.document @@ one));
end`
  return `create function ${names.functions.own}(${QUERY}, everything boolean, whose text)
    returns table (key text, score double precision) language plpgsql stable ${PLANS} as ${literal(body)}`
}

/**
 * The same as `weighFunction`, of the documents of one tenant: how many of them have each word is counted by the bits that its posting has in common with the mask
 * `own` of the tenant's living rows.
 */
export function weighTenantFunction(generation: Generation): string {
  const { schema, names } = generation
  const { segment, posting, hot, document, tally } = names
  const planes = eachPlane((plane) => `p.plane_${plane}`, ' | ')
  const body = `
declare
  total double precision; built double precision;
  tenants tsquery := ${tenantQuery(generation)};
begin
  documents := 0; segments := '{}'; drift := 1; idf := '{}'; q := '{}'; dense := false; sparse := false; hot_found := 0;
  cleared := coalesce((select max(below) from ${names.cleared}), 0);
  stray := case when exists (select from ${names.missed}) then array(select s.number from ${names.stray} s) end;
  taken := array(select g.number from ${names.gone} g where g.number > cleared) || stray;
  ${requireTenant(generation)}
  ${tenantMasks(generation)}
  select sum(t.documents), sum(t.length) into documents, total from ${tally} t where t.tenant = whose and t.at > cleared;
  if stray is not null then
    select documents - count(*), total - coalesce(sum(d.length), 0) into documents, total
    from (
      select d.number, d.length, d.document from unnest(stray) s(number) cross join lateral (
        select * from ${document} d where d.number = s.number limit 1) d
      union all
      select h.number, h.length, h.document from unnest(stray) s(number) cross join lateral (
        select * from ${hot} h where h.number = s.number limit 1) h
    ) d where d.number > cleared and d.document @@ tenants;
  end if;
  documents := greatest(coalesce(documents, 0), 0);
  mean := coalesce(nullif(${sumOfLengths('total')}, 0) / nullif(documents, 0), 1);
  q := array(
    select ${schema}.search_quote(t.term)::tsquery from unnest(terms) with ordinality t(term, at) order by t.at);
  select coalesce(array_agg(s.segment order by s.base), '{}'), array_agg(s.base order by s.base), min(s.mean) into segments, bases, built
  from ${segment} s where s.state = 'ready' and s.newest > cleared;
  drift := coalesce(greatest(1, mean / built), 1);
  select array_agg(t.weight * ln(1 + greatest(0, documents - f.found + 0.5) / (f.found + 0.5)) order by t.at),
    coalesce(bool_or(f.dense), false), coalesce(bool_or(f.sparse), false), coalesce(sum(f.hot), 0)
  into idf, dense, sparse, hot_found
    from unnest(terms, weights, q) with ordinality t(term, weight, query, at)
    cross join lateral (
      select p.dense, p.sparse, h.n as hot, (p.n + h.n)::double precision as found
      from (
        select coalesce(sum(case when p.slots is null then bit_count((${planes}) & s.mask) else (
            select count(*) from unnest(p.slots) slot where get_bit(s.mask, (slot - s.base)::int) = 1) end), 0) as n,
          coalesce(bool_or(p.slots is null), false) as dense, coalesce(bool_or(p.slots is not null), false) as sparse
        from (
          select s.* from unnest(segments, bases, own) s(segment, base, mask) where s.mask is not null offset 0
        ) s ${postingOf(posting)}
      ) p
      cross join lateral (
        select count(*) as n from ${hot} h where h.document @@ (t.query && tenants) and ${living(generation, 'h')}
      ) h
    ) f;
  idf := coalesce(idf, '{}');
end`
  return `create function ${names.functions.weigh}(
      terms text[], weights double precision[], whose text, own varbit[] default null,
      out documents double precision, out mean double precision, out idf double precision[], out q tsquery[],
      out dense boolean, out sparse boolean, out hot_found bigint,
      out segments int[], out bases bigint[], out drift double precision,
      out cleared bigint, out stray bigint[], out taken bigint[]
    ) language plpgsql stable as ${literal(body)}`
}
