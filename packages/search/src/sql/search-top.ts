import { curatedPage } from '../curation/curated-page.js'
import type { NativeQuery } from '../native/native-query.js'
import { positionFrom, unchanged } from '../page/after.js'
import type { QueryPlan } from '../query/query-plan.js'
import type { TenantScope } from '../tenant/tenant-scope.js'
import type { Parameters } from './parameters.js'
import {
  joinRow,
  lastHit,
  type Masked,
  type PageStart,
  queryParameters,
  type Searched,
  shownRow,
} from './searched.js'

/** The best, of which only these are looked at where the query allows it. */
export function searchTop(
  searched: Searched,
  plan: Pick<QueryPlan, 'pinned' | 'hidden'>,
  query: NativeQuery,
  { filter, facets }: Masked,
  limit: number,
  { offset, position }: PageStart,
  parameters: Parameters,
  scope: TenantScope | undefined,
): string {
  const { definition, names, types } = searched
  const { add } = parameters
  const asked = queryParameters(query, parameters)
  const [most, passed] = [`${add(limit)}::int`, `${add(offset)}::int`]
  const { pinned, hidden } = plan
  const hits = `(select coalesce(json_agg(json_build_object(
          'key', p.key, 'score', p.score, 'row', ${shownRow(searched)}) order by p.place), '[]')
       from page p ${joinRow(searched, 'p.key')}) as hits`
  if (pinned.length > 0 || hidden.length > 0) {
    const curated = { pinned: `${add(pinned)}::text[]`, hidden: `${add(hidden)}::text[]` }
    return /* sql */ `
    with ${curatedPage(names, asked, { ...curated, limit: most, offset: passed })}
    select (select total::text from found) as total, ${hits}, '[]'::jsonb as facets,
      (select f.total > ${passed} + ${most} from found f) as more,
      ${lastHit(searched, [])} as last,
      false as short`
  }
  const filtered = `${add(filter && JSON.stringify(filter))}::text::jsonb`
  const whose = scope === undefined ? '' : `, ${add(scope.word)}::text`
  const counts =
    facets.length === 0
      ? `'[]'::jsonb`
      : `(select counts from ${names.functions.count}(
          ${asked}, false, ${filtered}, ${add(JSON.stringify(facets))}::text::jsonb${whose}))`
  const begin =
    position === undefined
      ? `begin as materialized (select ${passed}::bigint as at, false as lost)`
      : `${positionFrom(add(JSON.stringify(position)), [])}, kept as materialized (
      select ${unchanged(definition, types)} as key
    ), start as materialized (
      select (select l.place from listed l where l.key = k.key) as own,
        (select count(*) from listed l where l.score > o.score or l.score = o.score and l.key collate "C" <= o.key) as above,
        k.key is not null as kept
      from position o cross join kept k
    ), begin as materialized (
      select coalesce(own, above) as at, kept and own is null as lost from start
    )`
  return /* sql */ `
    with found as materialized (
      select keys, scores, total
      from ${names.functions.search}(${asked}, ${filtered}, ${most} + ${passed}${whose})
    ), listed as materialized (
      select u.key, u.score, u.place
      from found cross join lateral unnest(keys, scores) with ordinality u(key, score, place)
    ), ${begin}, page as materialized (
      select l.key, l.score, l.place from listed l
      where l.place > (select at from begin) and l.place <= (select at from begin) + ${most}
    )
    select (select total::text from found) as total,
      ${hits},
      ${counts} as facets,
      (select f.total > b.at + ${most} from found f cross join begin b) as more,
      ${lastHit(searched, [])} as last,
      (select coalesce(cardinality(f.keys), 0) < f.total
          and (b.lost or b.at + ${most} > coalesce(cardinality(f.keys), 0))
       from found f cross join begin b) as short`
}
