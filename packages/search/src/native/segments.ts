import { literal } from '@howdah/core'
import { isValueWord } from './attributes.js'
import { countOfLexeme, normOf } from './documents.js'
import {
  BULK,
  DENSE,
  DENSE_VALUE,
  eachPlane,
  FEW,
  FINE,
  type Generation,
  LEVELS,
  PARTS,
  SMALLEST,
} from './generation.js'

const SLOTS = 'segment, term, n, slots, levels'
const COLUMNS = `${SLOTS}, ${eachPlane((plane) => `plane_${plane}`)}, held`

/** The mean length of a document as it is now; of none, 1. */
export function meanLength({ names }: Pick<Generation, 'names'>, cleared: string): string {
  return `coalesce((select nullif(sum(length), 0) / nullif(sum(documents), 0)
      from ${names.tally} where at > ${cleared}), 1)`
}

/**
 * Makes a segment of the documents that have slots from `first` on. A level says how much a word counts in a document, apart from how
 * rare it is: its share of the most there can be, rounded up, so that it bounds the score from above.
 */
export function segmentFunction(generation: Generation): string {
  const { definition, names } = generation
  const few = `case when ${isValueWord('w.term')} then greatest(slots / ${DENSE_VALUE}, ${FEW}) else slots / ${DENSE} end`
  const bit = (plane: number) => `(u.level + ${FINE - 1}) / ${FINE} & ${1 << (plane - 1)}`
  const planeOf = (name: string, condition: string) =>
    `case slots ${[SMALLEST, BULK]
      .map(
        (size) => `when ${size} then ${generation.schema}.search_plane_${size}(u.at, 1)
        filter (where slots = ${size} and ${condition})`,
      )
      .join(' ')} end as ${name}`
  const body = `
declare
  own int;
begin
  insert into ${names.segment} (state, base, size, newest, mean, live)
  select 'ready', first, slots, max(number), mean, count(*)
  from ${names.document} where slot >= first and slot < first + slots
  returning segment into own;
  -- In the order of the words, in which the index of the postings grows densest.
  with word as materialized (
    select u.term, count(*)::int as n, array_agg((d.slot - first)::int) as places,
      array_agg(case when ${isValueWord('u.term')} then 1 else ceil(${LEVELS * FINE} * u.times / (u.times + ${normOf('d.length')})) end::smallint) as levels
    from ${names.document} d cross join lateral (
      select lexeme as term, ${countOfLexeme(definition)} as times from unnest(d.document)
    ) u
    where d.slot >= first and d.slot < first + slots
    group by u.term
  ), known as materialized (
    select w.*, ${isValueWord('w.term')} as value, w.n >= ${few} as dense from word w
  )
  insert into ${names.posting} (${COLUMNS})
  select own, w.term, w.n,
    case when not w.dense then array(select (first + place)::int from unnest(w.places) place) end,
    case when not w.dense then w.levels end,
    ${eachPlane((plane) => `case when w.dense and not w.value then made.plane_${plane} end`)},
    case when w.dense and w.value then made.held end
  from known w left join lateral (
    select ${eachPlane((plane) => planeOf(`plane_${plane}`, `not w.value and ${bit(plane)} <> 0`))},
      ${planeOf('held', 'w.value')}
    from unnest(w.places, w.levels) u(at, level)
    where w.dense
  ) made on true
  order by w.term;
end`
  return `create function ${names.functions.segment}(first bigint, slots int, mean double precision) returns void
    language plpgsql volatile set work_mem = '64MB' as ${literal(body)}`
}

const WORDS_A_STEP = 4000

/**
 * One step of merging the segments in a range of slots. Planes are put one after another, with zeros where a segment has not the
 * word or a range has no segment, and arrays too. A word that has planes in one of them has planes in all.
 *
 * The segment that is built is seen by nobody, and those it is made of change in nothing but their dead bits, so the steps
 * commit one by one. The last one makes it known.
 */
export function mergeFunction(generation: Generation): string {
  const { schema, names } = generation
  const converted = (plane: number) =>
    PARTS.map(
      (size) =>
        `when ${size} then (select ${schema}.search_plane_${size}((slot - part.base)::int, 1)
              filter (where (level + ${FINE - 1}) / ${FINE} & ${1 << (plane - 1)} <> 0)
            from unnest(p.slots, p.levels) u(slot, level))`,
    ).join(' ')
  const joined = (bits: string, plane: number, which: string) =>
    `${schema}.search_concat(coalesce(${bits},
      case when p.slots is not null then case length(part.zero) ${converted(plane)} end end,
      part.zero) order by part.at) filter (where ${which})`
  const body = `
declare
  target record;
  last text;
  pieces int[];
  starts bigint[];
  blanks varbit[];
begin
  select * into target from ${names.segment} where state = 'building';
  -- The parts in their order, and null for each gap between them.
  with known as (
    select segment, base, size from ${names.segment} where segment = any (target.parts)
  ), edge as (
    select segment, base, size, lead(base, 1, target.base + target.size) over (order by base) as next from known
    union all select null, target.base, 0, (select min(base) from known)
  ), piece as (
    select segment, base, size from edge where segment is not null
    union all select null, base + size, (next - base - size)::int from edge where next > base + size
  )
  select array_agg(segment order by base), array_agg(base order by base),
    array_agg(repeat('0', size)::varbit order by base)
  into pieces, starts, blanks from piece;
  select max(term) into last from (
    select term from ${names.posting}
    where segment = (select segment from ${names.segment} where segment = any (target.parts)
      order by live desc limit 1) and term > target.upto
    order by term limit ${WORDS_A_STEP}
  ) few;
  with part as materialized (
    select p.* from ${names.posting} p
    where p.segment = any (target.parts) and p.term > target.upto and (last is null or p.term <= last)
  ), word as materialized (
    select term, sum(n)::int as n, bool_or(slots is null)
      or ${isValueWord('term')} and sum(n) >= target.size / ${DENSE_VALUE} as dense
    from part group by term
  )
  insert into ${names.posting} (${COLUMNS})
  select target.segment, w.term, w.n,
    ${schema}.search_concat(p.slots order by array_position(pieces, p.segment)),
    ${schema}.search_concat(p.levels order by array_position(pieces, p.segment)),
    ${eachPlane(() => 'null::varbit')}, null::varbit
  from word w join part p on p.term = w.term where not w.dense group by w.term, w.n
  union all
  select target.segment, w.term, w.n, null, null,
    ${eachPlane((plane) => joined(`p.plane_${plane}`, plane, `not ${isValueWord('w.term')}`))},
    ${joined('p.held', 1, isValueWord('w.term'))}
  from word w
  cross join unnest(pieces, starts, blanks) with ordinality part(segment, base, zero, at)
  left join part p on p.segment = part.segment and p.term = w.term
  where w.dense group by w.term, w.n
  order by 2;
  if last is not null then
    update ${names.segment} set upto = last where segment = target.segment;
    return;
  end if;
  insert into ${names.buried}
  select target.segment, term, sum(n) from ${names.buried} where segment = any (target.parts) group by term;
  update ${names.segment} t set state = 'ready', upto = '', parts = null,
    newest = s.newest, mean = s.mean, live = s.live,
    dead = case when s.dead then (
      select ${schema}.search_concat(coalesce(d.dead, part.zero) order by part.at)
      from unnest(pieces, blanks) with ordinality part(segment, zero, at)
      left join ${names.segment} d on d.segment = part.segment) end
  from (
    select max(newest) as newest, min(mean) as mean, sum(live) as live, bool_or(dead is not null) as dead
    from ${names.segment} where segment = any (target.parts)
  ) s
  where t.segment = target.segment;
  update ${names.segment} set state = 'leaving' where segment = any (target.parts);
end`
  return `create function ${names.functions.merge}() returns void
    language plpgsql volatile set enable_seqscan = off set enable_nestloop = off set work_mem = '64MB' as ${literal(body)}`
}
