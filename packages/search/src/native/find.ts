import { ident, literal } from '@howdah/core'
import { tableOf } from '../names.js'
import { eachPlane, FINE, type Generation, K1, LEVELS, PLANES } from './generation.js'
import {
  LIVING_VARIABLES,
  living,
  postingOf,
  SCORE_VARIABLES,
  score,
  scored,
  takenDocuments,
  weighed,
} from './score.js'
import { sparseAlone } from './sparse.js'

/** Bits of the sum that planes are added up to: enough for 64 words of the highest level and weight. */
const SUM_BITS = 16
/** A word's weight in the sum, of the rarest one; others have their share of it, rounded up. */
const HEAVIEST = 16

/**
 * The exact top k by BM25 of rows that have at least `need` of the units that the words stand for, in any order of the words; of those only that are
 * in the masks `cut`, or, among the hot ones, match `chosen`, where these are given. Those of a tenant are within the masks `own`, and so is `cut`.
 *
 * For each segment the planes of the frequent words are added up, with carries from plane to plane, to a bound of what they can
 * add to each row's score. Rows of the other words come from their arrays, with a bound of their own, to which the sum is
 * added. Those with the highest bounds are scored exactly, until the k-th score is above every bound that is left.
 */
export function findFunction(generation: Generation): string {
  const { names, definition } = generation
  const body = `
declare
  ${LIVING_VARIABLES}
  ${SCORE_VARIABLES}
  alives varbit[];
  whole int[];
  step double precision := 0;
  unit_count int := (select max(u) + 1 from unnest(units) u);
  sums varbit[]; highest int[]; present varbit[]; masks varbit[]; counts varbit[];
  inside varbit[]; open varbit[]; trial varbit[];
  xs varbit[]; a varbit; x varbit; c varbit; t varbit;
  offset_ int; w int; shift int; j int; b int; v bigint; n bigint;
  most int := 0; dense_count bigint := 0; goal double precision; goal_sum bigint; sparse_count bigint; hot_count bigint; gone_count bigint := 0;
  target int; ceiling int; floor_ double precision; left_out double precision;
  hot_keys text[]; hot_scores double precision[];
  slots_ int[]; bounds double precision[]; planes record;
begin
  ${weighed(generation)}
  keys := '{}'; scores := '{}'; total := 0;
  if documents = 0 or cardinality(terms) = 0 then
    return;
  end if;
  alives := coalesce(cut, array(select ~s.dead from unnest(deads) with ordinality s(dead, at) order by s.at));
  present := array_fill(null::varbit, array[case when need > 1 then cardinality(segments) * unit_count else 0 end]);
  masks := array_fill(null::varbit, array[cardinality(segments)]);
  sums := array_fill(null::varbit, array[cardinality(segments) * ${SUM_BITS}]);
  hot_count := 0;
  ${hotPart(generation)}
  if dense then
    ${addPlanes(generation)}
    ${maskByNeed()}
  end if;
  target := greatest(2 * k, 20);
  loop
    ceiling := 4 * target;
    ${descend()}
    slots_ := '{}';
    if sparse then
      ${sparseRows(generation)}
      if goal is null and cardinality(slots_) > target then
        left_out := greatest(left_out, bounds[target + 1]);
        slots_ := slots_[:target];
      end if;
    end if;
    for j in 1..coalesce(cardinality(inside), 0) loop
      if inside[j] is not null then
        slots_ := slots_ || array(select (bases[j] + o)::int from ${generation.schema}.search_ones(inside[j]) o);
      end if;
    end loop;
    ${scoreRows(generation)}
    exit when left_out = 0 or scores[greatest(k, 1)] > left_out + 1e-9;
    if goal is null and cardinality(scores) >= greatest(k, 1) then
      -- Nothing with a bound below the k-th score so far can come in.
      goal := scores[greatest(k, 1)] * (1 - 1e-9) - 1e-9;
    else
      goal := null;
      target := target * 8;
    end if;
  end loop;
  total := dense_count + coalesce(sparse_count, 0) + hot_count - gone_count;
  if k = 0 then
    keys := '{}'; scores := '{}';
  end if;
end`
  return `create function ${names.functions.find}(
      terms text[], weights double precision[], units int[], need int, k int, cut varbit[], chosen tsquery${definition.tenant === undefined ? '' : ', whose text, own varbit[]'},
      out keys text[], out scores double precision[], out total bigint
    ) language plpgsql stable as ${literal(body)}`
}

/** The condition on how many units a document has. */
export function enough(document: string): string {
  return `(need <= 1 or need <= (
        select count(distinct one.unit) from unnest(q, units) one(query, unit) where ${document} @@ one.query))`
}

/** What is in no segment is scored as it is; and what writers took out of segments is counted, for the total. */
function hotPart(generation: Generation): string {
  const { names, definition, keyType } = generation
  const any = `(select string_agg(query::text, ' | ')::tsquery from unnest(q) query)`
  return `if hot_found > 0 then
    select array_agg(h.key order by h.score desc, h.key), array_agg(h.score order by h.score desc, h.key),
    coalesce(max(h.matching), 0)
  into hot_keys, hot_scores, hot_count
  from (
    select s.key, s.score, s.matching
    from (
      select d.key, ${score(generation, 'd')} as score, count(*) over () as matching
      from (
        select ${scored('h')} from ${names.hot} h
        where h.document @@ ${any} and ${enough('h.document')} and ${living(generation, 'h')}
          and (chosen is null or h.document @@ chosen)
        offset 0
      ) d
      order by 2 desc, 1 offset 0
    ) s
    cross join lateral (
      select from ${tableOf(definition)} live where live.${ident(definition.key)} = s.key::${keyType} limit 1) live
    order by 2 desc, 1 limit greatest(k, 1)
  ) h;
  end if;
  if cut is null and taken <> '{}' then
    select count(*) into gone_count from ${takenDocuments(generation)}
    where d.document @@ ${any} and ${enough('d.document')};
  end if;`
}

/**
 * Adds up the planes of each segment in `sums`, ${SUM_BITS} to a segment. A word's levels are multiplied by its weight by adding them once for
 * each bit of the weight. Dead rows, and those that filters leave out, are cut away on the way in, which also unpacks each plane once.
 */
function addPlanes({ names }: Generation): string {
  return `step := (select max(i) from unnest(idf) i) / ${HEAVIEST} * ${K1 + 1} / ${LEVELS} * drift;
  if step > 0 then
    whole := array(select ceil(i * ${K1 + 1} / ${LEVELS} * drift / step - 1e-9)::int from unnest(idf) with ordinality o(i, at) order by at);
    step := step * (1 + 1e-9);
  else
    whole := array_fill(0, array[cardinality(idf)]);
  end if;
  highest := array_fill(0, array[cardinality(segments)]);
  for planes in
    select s.at as place, t.at as word, ${eachPlane(
      (plane) =>
        `case when s.alive is null then p.plane_${plane} || ''::varbit else p.plane_${plane} & s.alive end as plane_${plane}`,
    )}
    from (
      select s.segment, s.at, s.alive from unnest(segments, alives) with ordinality s(segment, alive, at)
      where cut is null or s.alive is not null offset 0
    ) s
    cross join unnest(terms) with ordinality t(term, at)
    ${postingOf(names.posting)}
    where p.slots is null order by s.at
  loop
    xs := array[${eachPlane((plane) => `planes.plane_${plane}`)}];
    x := ${eachPlane((plane) => `planes.plane_${plane}`, ' | ')};
    t := masks[planes.place];
    masks[planes.place] := case when t is null then x else t | x end;
    if need > 1 then
      offset_ := (planes.place - 1) * unit_count + units[planes.word] + 1;
      t := present[offset_];
      present[offset_] := case when t is null then x else t | x end;
    end if;
    w := whole[planes.word];
    shift := 0;
    while w > 0 loop
      if w & 1 = 1 then
        highest[planes.place] := highest[planes.place] + (${LEVELS} << shift);
        offset_ := (planes.place - 1) * ${SUM_BITS} + 1;
        c := null;
        j := 1;
        b := shift;
        while j <= ${PLANES} or (c is not null and (1 << b) <= highest[planes.place]) loop
          a := sums[offset_ + b];
          x := xs[j];
          if a is null then
            if x is null then sums[offset_ + b] := c; c := null;
            elsif c is null then sums[offset_ + b] := x;
            else sums[offset_ + b] := x # c; c := x & c; end if;
          elsif x is null then
            if c is not null then sums[offset_ + b] := a # c; c := a & c; end if;
          elsif c is null then sums[offset_ + b] := a # x; c := a & x;
          else t := a # x; sums[offset_ + b] := t # c; c := (a & x) | (t & c); end if;
          j := j + 1;
          b := b + 1;
        end loop;
      end if;
      w := w >> 1;
      shift := shift + 1;
    end loop;
    most := greatest(most, highest[planes.place]);
  end loop;`
}

/** Leaves in the masks the rows that have enough of the units by their planes alone, and counts them. */
function maskByNeed(): string {
  return `for j in 1..cardinality(segments) loop
    continue when masks[j] is null;
    if need > 1 then
      -- counts[i] has the rows with at least i units so far.
      counts := array_fill(null::varbit, array[need]);
      for w in 0..unit_count - 1 loop
        x := present[(j - 1) * unit_count + w + 1];
        continue when x is null;
        for b in reverse need..2 loop
          c := counts[b - 1];
          if c is not null then
            t := counts[b];
            counts[b] := case when t is null then c & x else t | (c & x) end;
          end if;
        end loop;
        t := counts[1];
        counts[1] := case when t is null then x else t | x end;
      end loop;
      masks[j] := counts[need];
      continue when masks[j] is null;
    end if;
    dense_count := dense_count + bit_count(masks[j]);
  end loop;`
}

/**
 * Finds the rows with the highest sums, bit by bit from the top, over all segments together: some \`target\` to \`ceiling\` of them, into
 * \`inside\`. Every row left out has less than \`left_out\`.
 */
function descend(): string {
  return `inside := null;
    left_out := 0;
    goal_sum := case when goal is not null and step > 0 then greatest(0, floor(goal / step)) end;
    if dense_count > 0 and dense_count <= ceiling then
      inside := masks;
    elsif dense_count > 0 then
      open := masks;
      inside := array_fill(null::varbit, array[cardinality(segments)]);
      trial := inside;
      v := 0;
      b := ${SUM_BITS - 1};
      while b > 0 and (1 << b) > greatest(most, goal_sum) loop
        b := b - 1;
      end loop;
      while b >= 0 loop
        n := 0;
        for j in 1..cardinality(segments) loop
          a := sums[(j - 1) * ${SUM_BITS} + b + 1];
          x := open[j];
          x := case when a is null or x is null then null else x & a end;
          c := inside[j];
          c := case when c is null then x when x is null then c else c | x end;
          trial[j] := c;
          if c is not null then
            n := n + bit_count(c);
          end if;
        end loop;
        if goal_sum is not null then
          n := case when goal_sum >> b & 1 = 1 then ceiling + 1 else 0 end;
        end if;
        for j in 1..cardinality(segments) loop
          a := sums[(j - 1) * ${SUM_BITS} + b + 1];
          x := open[j];
          continue when x is null;
          if n > ceiling then
            open[j] := case when a is null then null else x & a end;
          elsif a is not null then
            open[j] := x & ~a;
          end if;
        end loop;
        if n > ceiling then
          v := v + (1 << b);
        else
          inside := trial;
          if n >= target then
            v := v + (1 << b) - 1;
            exit;
          end if;
        end if;
        b := b - 1;
      end loop;
      if goal_sum is not null then
        for j in 1..cardinality(segments) loop
          x := open[j];
          c := inside[j];
          inside[j] := case when c is null then x when x is null then c else c | x end;
        end loop;
      end if;
      left_out := v * step;
    end if;
    if goal is not null then
      left_out := 0;
    end if;
    floor_ := coalesce(goal, left_out);`
}

/** Rows of the words that have arrays, those with the highest bounds, in \`slots_\` and \`bounds\`; and how many rows there are besides the masks. */
function sparseRows(generation: Generation): string {
  const { names } = generation
  const sum = Array.from(
    { length: SUM_BITS },
    (_, bit) =>
      `case when most >= ${1 << bit} then coalesce(get_bit(sums[(l.place - 1) * ${SUM_BITS} + ${bit + 1}], l.at), 0) << ${bit} else 0 end`,
  )
  return `if not dense then
      ${sparseAlone(generation)}
      else
      with listed as materialized (
        select s.at::int as place, (u.slot - bases[s.at])::int as at, u.slot,
          sum(t.weight * u.level) * ${(K1 + 1) / (LEVELS * FINE)} * drift as bound,
          bit_or(1::bigint << t.unit) as units
        from unnest(segments) with ordinality s(segment, at)
        cross join unnest(terms, idf, units) t(term, weight, unit)
        ${postingOf(names.posting)}
        cross join lateral unnest(p.slots, p.levels) u(slot, level)
        where p.slots is not null and (cut is null or alives[s.at] is not null)
          and (alives[s.at] is null or get_bit(alives[s.at], (u.slot - bases[s.at])::int) = 1)
        group by s.at, u.slot
      ), valid as not materialized (
        select l.* from listed l
        where (need <= 1 or need <= (
            select count(*) from generate_series(0, unit_count - 1) unit
            where (l.units >> unit) & 1 = 1
              or get_bit(present[(l.place - 1) * unit_count + unit + 1], l.at) = 1))
      ), best as (
        select l.slot, l.bound + (${sum.join(' + ')}) * step as bound
        from valid l where l.bound + most * step >= floor_
        order by 2 desc limit case when goal is null then target + 1 end
      )
      select (select count(*) from valid l where coalesce(get_bit(masks[l.place], l.at), 0) = 0),
        coalesce(array_agg(best.slot order by best.bound desc), '{}'),
        array_agg(best.bound order by best.bound desc)
      into sparse_count, slots_, bounds
      from best;
      end if;`
}

/** Scores the rows, with the hot ones, as they are in the live table under the rights of the caller. */
function scoreRows(generation: Generation): string {
  const { names, definition, keyType } = generation
  return `select coalesce(array_agg(o.key order by o.score desc, o.key), '{}'),
      coalesce(array_agg(o.score order by o.score desc, o.key), '{}')
    into keys, scores
    from (
      -- The live rows of the best only: the limit ends the loop over what is sorted by then.
      (select s.key, s.score
      from (
        select d.key, ${score(generation, 'd')} as score
        from (
          select ${scored('d')} from (select distinct slot from unnest(slots_) slot) one
          cross join lateral (select * from ${names.document} d where d.slot = one.slot limit 1) d
          where ${living(generation, 'd')}
          offset 0
        ) d
        order by 2 desc, 1 offset 0
      ) s
      cross join lateral (
        select from ${tableOf(definition)} live where live.${ident(definition.key)} = s.key::${keyType} limit 1) live
      order by 2 desc, 1 limit greatest(k, 1))
      union all
      select * from unnest(hot_keys, hot_scores)
      order by 2 desc, 1 limit greatest(k, 1)
    ) o;`
}
