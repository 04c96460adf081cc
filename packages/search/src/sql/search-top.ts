import { ident } from '@howdah/core'
import { tableOf } from '../names.js'
import type { NativeQuery } from '../native/native-query.js'
import type { SearchRequest } from '../search-request.js'
import type { TenantScope } from '../tenant/tenant-scope.js'
import type { ColumnType } from './describe-table.js'
import type { Parameters } from './parameters.js'
import { type Masked, queryParameters, type Searched } from './searched.js'

/** The best, of which only these are looked at where the query allows it. */
export function searchTop(
  { definition, names, types }: Searched,
  query: NativeQuery,
  { filter, facets }: Masked,
  { limit, offset }: SearchRequest,
  parameters: Parameters,
  scope: TenantScope | undefined,
): string {
  const { add } = parameters
  const keyType = (types[definition.key] as ColumnType).type
  const asked = queryParameters(query, parameters)
  const filtered = `${add(filter && JSON.stringify(filter))}::text::jsonb`
  const [most, passed] = [add(limit), add(offset)]
  const whose = scope === undefined ? '' : `, ${add(scope.word)}::text`
  const counts =
    facets.length === 0
      ? `'[]'::jsonb`
      : `(select counts from ${names.functions.count}(
          ${asked}, false, ${filtered}, ${add(JSON.stringify(facets))}::text::jsonb${whose}))`
  return /* sql */ `
    with found as materialized (
      select keys, scores, total
      from ${names.functions.search}(${asked}, ${filtered}, ${most}::int + ${passed}::int${whose})
    ), page as (
      select u.key, u.score, u.place
      from found cross join lateral unnest(keys, scores) with ordinality u(key, score, place)
      where u.place > ${passed}::int and u.place <= ${most}::int + ${passed}::int
    )
    select (select total::text from found) as total,
      (select coalesce(json_agg(json_build_object(
          'key', p.key, 'score', p.score, 'row', to_jsonb(t)) order by p.place), '[]')
       from page p cross join lateral (
         select * from ${tableOf(definition)} t where t.${ident(definition.key)} = p.key::${keyType} limit 1) t) as hits,
      ${counts} as facets`
}
