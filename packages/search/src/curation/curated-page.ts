import type { IndexNames } from '../names.js'

/**
 * The page of a query for which some rows are pinned or hidden, from its best rows and as many more as could be taken out of
 * them: as the expressions `page`, and `found` with the total.
 *
 * @param query - arguments of the engine's functions
 */
export function curatedPage(
  { functions }: IndexNames,
  query: string,
  {
    pinned,
    hidden,
    limit,
    offset,
  }: Readonly<Record<'pinned' | 'hidden' | 'limit' | 'offset', string>>,
): string {
  const known = `${pinned} || ${hidden}`
  const order = 'pin nulls last, score desc, key collate "C"'
  return /* sql */ `judged as materialized (
      select j.key, j.score, j.matches, array_position(${pinned}, j.key) as pin, j.key = any (${hidden}) as hidden
      from ${functions.judge}(${query}, ${known}) j
    ), best as materialized (
      select keys, scores, total
      from ${functions.search}(${query}, null, ${limit} + ${offset} + cardinality(${known}))
    ), listed as (
      select u.key, u.score, null::int as pin
      from best cross join lateral unnest(keys, scores) u(key, score)
      where u.key <> all (${known})
      union all
      select j.key, case when j.matches then j.score else 0 end, j.pin
      from judged j where j.pin is not null and not j.hidden
    ), page as materialized (
      select key, score, row_number() over (order by ${order}) as place
      from listed order by ${order} limit ${limit} offset ${offset}
    ), found as materialized (
      select total
        - (select count(*) from judged j where j.hidden and j.matches)
        + (select count(*) from judged j where j.pin is not null and not j.hidden and not j.matches) as total
      from best
    )`
}
