import { ident } from '@howdah/core'
import { filterCondition } from '../filter/filter-condition.js'
import { tableOf } from '../names.js'
import { NOTHING_ASKED } from '../native/native-query.js'
import { isTenants, tenantAttribute } from '../native/tenant.js'
import type { SearchRequest } from '../search-request.js'
import type { TenantScope } from '../tenant/tenant-scope.js'
import type { Parameters } from './parameters.js'
import { type Masked, queryParameters, type Searched } from './searched.js'

/**
 * A page of everything that the filters allow, in the order of columns, by which the table may have an index. What there is beside the page is counted by
 * masks.
 */
export function searchListing(
  { definition, names, types, attributes }: Searched,
  { filter, facets }: Masked,
  { filters, limit, offset, sort = definition.sort }: SearchRequest,
  parameters: Parameters,
  scope: TenantScope | undefined,
): string {
  const { add } = parameters
  const key = `t.${ident(definition.key)}`
  const order = [
    ...sort.map(({ column, order }) => `t.${ident(column)} ${order} nulls last`),
    `${key}::text collate "C"`,
  ].join(', ')
  const conditions = filters.map(({ node }) => filterCondition(node, types, add))
  if (scope !== undefined) {
    conditions.unshift(isTenants(tenantAttribute(attributes), add(scope.value)))
  }
  const whose = scope === undefined ? '' : `, ${add(scope.word)}::text`
  const asked = queryParameters(NOTHING_ASKED, parameters)
  return /* sql */ `
    with page as materialized (
      select ${key}::text as key, to_jsonb(t) as row, row_number() over () as place
      from (
        select * from ${tableOf(definition)} t
        where ${[`${key} is not null`, ...conditions].join('\n          and ')}
        order by ${order} limit ${add(limit)}::int offset ${add(offset)}::int
      ) t
    )
    select c.total::text as total,
      (select coalesce(json_agg(json_build_object(
          'key', p.key, 'score', 0::double precision, 'row', p.row) order by p.place), '[]') from page p) as hits,
      c.counts as facets
    from ${names.functions.count}(${asked}, true,
      ${add(filter && JSON.stringify(filter))}::text::jsonb, ${add(JSON.stringify(facets))}::text::jsonb${whose}) c`
}
