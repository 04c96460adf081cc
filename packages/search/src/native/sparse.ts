import { FINE, type Generation, K1, LEVELS } from './generation.js'

/**
 * Rows of the words where none of them has planes: the same as with planes, in a statement that is begun in half the time, as rare words take
 * little more than that. Sets \`sparse_count\`, \`slots_\` and \`bounds\`.
 */
export function sparseAlone({ names }: Pick<Generation, 'names'>): string {
  return `with listed as materialized (
        select u.place, u.slot, sum(u.weight * u.level) * ${(K1 + 1) / (LEVELS * FINE)} * drift as bound,
          bit_or(1::bigint << u.unit) as units
        from (
          -- Unnested side by side in the list of columns, which keeps no copy of the rows.
          select s.at as place, t.weight, t.unit, unnest(p.slots) as slot, unnest(p.levels) as level
          from unnest(segments) with ordinality s(segment, at)
          cross join unnest(terms, idf, units) t(term, weight, unit)
          cross join lateral (
            select p.slots, p.levels from ${names.posting} p where p.segment = s.segment and p.term = t.term limit 1) p
        ) u
        group by u.place, u.slot
      ), valid as not materialized (
        select l.slot, l.bound from listed l
        where (cut is null or alives[l.place] is not null)
          and (alives[l.place] is null or get_bit(alives[l.place], (l.slot - bases[l.place])::int) = 1)
          and (need <= 1 or need <= bit_count(l.units::bit(64)))
      ), best as (
        select l.slot, l.bound from valid l where l.bound >= floor_
        order by l.bound desc limit case when goal is null then target + 1 end
      )
      select (select count(*) from valid), coalesce(array_agg(best.slot order by best.bound desc), '{}'),
        array_agg(best.bound order by best.bound desc)
      into sparse_count, slots_, bounds
      from best;`
}
