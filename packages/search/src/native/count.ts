/**
 * Counting what matches without looking at it: a facet's value in so many rows, by the bits that its posting has in common with the mask of what
 * matches. What is in no segment is counted row by row.
 */
import { literal } from '@howdah/core'
import { enough } from './find.js'
import type { Generation } from './generation.js'
import { NAMES, QUERY } from './match.js'
import { living, livingVariables, PLANS } from './score.js'
import { requireTenant, TENANT_MASK, tenantQuery } from './tenant.js'

/** Most values of a facet that are told. */
export const MAX_FACET_VALUES = 100
/** Values of a column that are counted at once; of more, those that the fewest rows can have are perhaps passed over. */
const AT_ONCE = 1000
/** Values that a column may have in the largest segment to be counted together with others. */
const FEW_VALUES = 500

/** What matches a query, whatever is filtered: the masks of the segments, and the numbers of documents that are in none. */
export function matchedFunction(generation: Generation): string {
  const { names, definition } = generation
  const tenants = definition.tenant !== undefined
  const theirs = tenants ? `and h.document @@ ${tenantQuery(generation)}` : ''
  const { mask, match, cut, bits } = names.functions
  const body = `
#variable_conflict use_column
declare
  ${livingVariables(generation)}
  alive varbit[]; size_ int;
  part varbit[]; counts varbit[];
  x varbit; c varbit; t varbit;
  q tsquery[]; anything tsquery;
  slots_ bigint[];
begin
  masks := '{}'; numbers := '{}';
  ${requireTenant(generation)}
  select a.segments, a.bases, a.sizes, a.masks into segments, bases, sizes, alive from ${cut}(${tenants ? TENANT_MASK : 'null'}) a;
  if everything then
    masks := alive;
    numbers := array(select h.number from ${names.hot} h where ${living(generation, 'h')} ${theirs});
    return;
  end if;
  if not simple then
    select array_agg(m.slot) filter (where m.slot is not null), array_agg(m.number) filter (where m.slot is null)
    into slots_, numbers
    from ${match}(${NAMES}, ${tenants ? `alive, ${tenantQuery(generation)}, whose, alive` : 'null, null'}) m;
    select array_agg(${bits}(f.found, f.size) order by f.at) into masks
    from (
      select s.at, s.size, (
        select array_agg((one - s.base)::int) from unnest(slots_) one where one >= s.base and one < s.base + s.size) as found
      from unnest(segments, bases, sizes) with ordinality s(segment, base, size, at)
    ) f;
    masks := coalesce(masks, '{}');
    numbers := coalesce(numbers, '{}');
    return;
  end if;
  size_ := cardinality(segments);
  -- Those of segment j with at least i of the units so far are at (i - 1) * size_ + j.
  counts := array_fill(null::varbit, array[need * size_]);
  for which in 0..case when need = 1 then 0 else (select max(u) from unnest(units) u) end loop
    select m.masks into part
    from ${mask}(jsonb_build_object('words', (
      select jsonb_agg(w.term) from unnest(terms, units) w(term, unit) where need = 1 or w.unit = which)), segments, bases, sizes) m;
    for j in 1..size_ loop
      x := part[j] & alive[j];
      continue when x is null;
      for i in reverse need..2 loop
        c := counts[(i - 2) * size_ + j];
        t := counts[(i - 1) * size_ + j];
        counts[(i - 1) * size_ + j] := coalesce(t | (c & x), t, c & x);
      end loop;
      c := counts[j];
      counts[j] := coalesce(c | x, x);
    end loop;
  end loop;
  masks := counts[(need - 1) * size_ + 1:];
  select array_agg(${generation.schema}.search_quote(w.term)::tsquery order by w.at) into q
  from unnest(terms) with ordinality w(term, at);
  anything := (select string_agg(one::text, ' | ')::tsquery from unnest(q) one);
  numbers := array(
    select h.number from ${names.hot} h
    where h.document @@ anything and ${enough('h.document')} and ${living(generation, 'h')} ${theirs});
end`
  return `create function ${names.functions.matched}(${QUERY}, everything boolean, whose text default null,
      out segments int[], out bases bigint[], out sizes int[], out masks varbit[], out numbers bigint[])
    language plpgsql stable ${PLANS} as ${literal(body)}`
}

/**
 * How many rows match a query and a filter, and for each facet its most frequent values, or how many rows are in each of its ranges. A facet may have a filter
 * of its own, in place of the one for all.
 */
export function countFunction(generation: Generation): string {
  const { names } = generation
  const { matched, cut, mask } = names.functions
  const select = (filter: string) => `if ${filter} is null then
      masks := everyone;
      numbers := hot_numbers;
    else
      select c.hot, (
        select array_agg(m.found & m.allowed order by m.at) from unnest(everyone, c.masks) with ordinality m(found, allowed, at))
      into chosen, masks from ${cut}(${filter}) c;
      masks := coalesce(masks, '{}');
      numbers := array(
        select one from unnest(hot_numbers) one
        where exists (select from ${names.hot} h where h.number = one and h.document @@ chosen));
    end if;`
  const [start, finish] = bordersOf("(facet->>'column')")
  const words = `select array_agg(h.word), array_agg(h.n) into hot_words, hot_counts
    from (
      select word, count(*) as n
      from unnest(numbers) one
      cross join lateral (select h.document from ${names.hot} h where h.number = one limit 1) h
      cross join lateral unnest(tsvector_to_array(h.document)) word
      where starts_with(word, E'\\x01') group by word
    ) h;`
  const body = `
#variable_conflict use_column
declare
  everyone varbit[]; hot_numbers bigint[];
  segments int[]; bases bigint[]; sizes int[]; chosen tsquery;
  masks varbit[]; numbers bigint[];
  common_masks varbit[]; common_numbers bigint[]; common_words text[]; common_counts bigint[];
  hot_words text[]; hot_counts bigint[];
  few int[]; kinds text[]; starts text[]; finishes text[]; quick jsonb := '{}';
  facet jsonb; ranged jsonb; start text; finish text; kind text;
  allowed varbit[]; allowed_hot text; n bigint;
  told jsonb;
  ordered text[]; mosts bigint[]; batch text[]; at_ int;
  best text[]; best_counts bigint[];
begin
  select m.segments, m.bases, m.sizes, m.masks, m.numbers into segments, bases, sizes, everyone, hot_numbers
  from ${matched}(${NAMES}, everything, whose) m;
  ${select('filter')}
  total := cardinality(numbers) + coalesce((select sum(bit_count(mask)) from unnest(masks) mask), 0);
  ${words}
  ${together(generation)}
  common_masks := masks; common_numbers := numbers; common_words := hot_words; common_counts := hot_counts;
  counts := '[]';
  for facet in select f.value from jsonb_array_elements(facets) f loop
    if (facet->>'column')::int = any (few) then
      counts := counts || jsonb_build_array(coalesce(quick->(facet->>'column'), '[]'));
      continue;
    end if;
    if facet ? 'filter' then
      ${select(`nullif(facet->'filter', 'null')`)}
      ${words}
    else
      masks := common_masks; numbers := common_numbers; hot_words := common_words; hot_counts := common_counts;
    end if;
    told := '[]';
    if facet ? 'ranges' then
      for ranged in select r.value from jsonb_array_elements(facet->'ranges') r loop
        select m.masks, m.hot into allowed, allowed_hot from ${mask}(ranged, segments, bases, sizes) m;
        n := coalesce((select sum(bit_count(found & within)) from unnest(masks, allowed) m(found, within)), 0) + (
          select count(*) from unnest(numbers) one
          where exists (select from ${names.hot} h where h.number = one and h.document @@ allowed_hot::tsquery));
        told := told || to_jsonb(n);
      end loop;
    else
      kind := facet->>'kind';
      start := ${start};
      finish := ${finish};
      batch := null; at_ := 0; best := '{}'; best_counts := '{}';
      if (
        select count(*) from (
          select from unnest(segments) s(segment) cross join lateral (
            select from ${names.posting} p where p.segment = s.segment and ${between('p.term', 'start', 'finish')}) p limit ${AT_ONCE + 1}
        ) few) > ${AT_ONCE}
      then
        select array_agg(o.term order by o.most desc, o.term), array_agg(o.most order by o.most desc, o.term) into ordered, mosts
        from (
          select u.term, sum(u.n)::bigint as most
          from (
            select p.term, p.n from unnest(segments) s(segment)
            cross join lateral (select p.term, p.n from ${names.posting} p where p.segment = s.segment and ${between('p.term', 'start', 'finish')}) p
            union all select h.word, h.n from unnest(hot_words, hot_counts) h(word, n) where ${between('h.word', 'start', 'finish')}
          ) u group by u.term
        ) o;
      end if;
      loop
        if ordered is not null then
          batch := ordered[at_ + 1:at_ + ${AT_ONCE}];
          at_ := at_ + ${AT_ONCE};
        end if;
        select array_agg(b.term order by b.n desc, b.label), array_agg(b.n order by b.n desc, b.label) into best, best_counts
        from (
          select a.term, a.n, (${valueAsJson('a.term', 'kind')})::text collate "C" as label
          from (
            select u.term, sum(u.n)::bigint as n
            from (
              select p.term, ${commonRows} as n
              from (
                select s.* from unnest(segments, bases, masks) s(segment, base, mask) where s.mask is not null offset 0
              ) s
              cross join lateral (
                select p.* from ${names.posting} p where p.segment = s.segment and batch is null and ${between('p.term', 'start', 'finish')}
                union all
                select p.* from unnest(batch) t(term) cross join lateral (
                  select * from ${names.posting} p where p.segment = s.segment and p.term = t.term limit 1) p
              ) p
              union all
              select h.word, h.n from unnest(hot_words, hot_counts) h(word, n)
              where ${between('h.word', 'start', 'finish')} and (batch is null or h.word = any (batch))
              union all
              select o.term, o.n from unnest(best, best_counts) o(term, n)
            ) u group by u.term
          ) a where a.n > 0 order by 2 desc, 3 limit ${MAX_FACET_VALUES}
        ) b;
        exit when ordered is null or at_ >= cardinality(ordered)
          or best_counts[${MAX_FACET_VALUES}] > mosts[at_ + 1];
      end loop;
      ordered := null;
      told := coalesce((
        select jsonb_agg(jsonb_build_object('value', ${valueAsJson('b.term', 'kind')}, 'count', b.n) order by b.at)
        from unnest(best, best_counts) with ordinality b(term, n, at)), '[]');
    end if;
    counts := counts || jsonb_build_array(told);
  end loop;
end`
  return `create function ${names.functions.count}(${QUERY}, everything boolean, filter jsonb, facets jsonb, whose text default null, out total bigint, out counts jsonb)
    language plpgsql stable ${PLANS} as ${literal(body)}`
}

/** How many rows a posting `p` has in common with the mask of a segment `s`. */
const commonRows = `case when p.slots is null then bit_count(p.held & s.mask)
                else (select count(*) from unnest(p.slots) slot where get_bit(s.mask, (slot - s.base)::int) = 1) end`

/** Counts the facets of few values that have no filter of their own all at once, since a statement for each takes longer than the counting. */
function together({ names }: Generation): string {
  const [start, finish] = bordersOf('f.number')
  return `few := array(
    select f.number from (
      select (f.value->>'column')::int as number from jsonb_array_elements(facets) f
      where not f.value ? 'filter' and not f.value ? 'ranges'
    ) f
    where ${FEW_VALUES} >= (select count(*) from (
      select from ${names.posting} p
      where p.segment = (select s.segment from unnest(segments, sizes) s(segment, size) order by s.size desc limit 1)
        and ${between('p.term', start, finish)} limit ${FEW_VALUES + 1}) found));
  if few <> '{}' then
    kinds := array(
      select (select f.value->>'kind' from jsonb_array_elements(facets) f where (f.value->>'column')::int = w.number)
      from unnest(few) with ordinality w(number, at) order by w.at);
    starts := array(select ${start} collate "C" from unnest(few) with ordinality f(number, at) order by f.at);
    finishes := array(select ${finish} collate "C" from unnest(few) with ordinality f(number, at) order by f.at);
    with counted as (
      select u.number, u.kind, u.term, sum(u.n) as n
      from (
        select f.number, f.kind, p.term, ${commonRows} as n
        from (
          select s.* from unnest(segments, bases, masks) s(segment, base, mask) where s.mask is not null offset 0
        ) s
        cross join unnest(few, kinds, starts, finishes) f(number, kind, start, finish)
        cross join lateral (
          select p.* from ${names.posting} p where p.segment = s.segment and ${between('p.term', 'f.start', 'f.finish')} offset 0) p
        union all
        select f.number, f.kind, h.word, h.n from unnest(few, kinds, starts, finishes) f(number, kind, start, finish)
        join unnest(hot_words, hot_counts) h(word, n) on ${between('h.word', 'f.start', 'f.finish')}
      ) u group by 1, 2, 3
    ), placed as (
      select o.*, row_number() over (partition by o.number order by o.n desc, o.value::text collate "C") as place
      from (
        select c.number, c.n, ${valueAsJson('c.term', 'c.kind')} as value from counted c where c.n > 0
      ) o
    )
    select jsonb_object_agg(t.number, t.found) into quick
    from (
      select p.number, jsonb_agg(jsonb_build_object('value', p.value, 'count', p.n) order by p.place) as found
      from placed p where p.place <= ${MAX_FACET_VALUES} group by p.number
    ) t;
    quick := coalesce(quick, '{}');
  end if;`
}

/** What the words of a column's values begin with, and what comes after them. */
function bordersOf(column: string): [string, string] {
  return [`(E'\\x01' || ${column} || '=')`, `(E'\\x01' || ${column} || '>')`]
}

/** Whether a word is one of the values of a facet. */
function between(term: string, start: string, finish: string): string {
  return `${term} >= ${start} collate "C" and ${term} < ${finish} collate "C"`
}

/** The value that a word stands for as JSON, which has the types that `to_jsonb` gives the column's. */
function valueAsJson(term: string, kind: string): string {
  const text = `substr(${term}, strpos(${term}, '=') + 1)`
  return `case when ${kind} = 'bool' then to_jsonb(${text}::boolean)
            when ${kind} = any ('{int2,int4,int8,numeric}') then to_jsonb(${text}::numeric)
            when ${kind} = 'timestamptz' then to_jsonb(${text}::timestamp at time zone 'UTC') else to_jsonb(${text}) end`
}
