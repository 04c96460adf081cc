import { ident } from '@howdah/core'
import { filterCondition } from '../filter/filter-condition.js'
import { tableOf } from '../names.js'
import { NOTHING_ASKED } from '../native/native-query.js'
import { comesAfter, positionFrom, sortTexts } from '../page/after.js'
import type { SearchRequest } from '../search-request.js'
import type { TenantScope } from '../tenant/tenant-scope.js'
import type { ColumnType } from './describe-table.js'
import type { Parameters } from './parameters.js'
import {
  lastHit,
  type Masked,
  ofTenant,
  type PageStart,
  queryParameters,
  type Searched,
  shownRow,
} from './searched.js'

/**
 * A page of everything that the filters allow, in the order of columns, by which the table may have an index. What there is beside the page is counted by
 * masks.
 */
export function searchListing(
  searched: Searched,
  { filter, facets }: Masked,
  request: SearchRequest,
  { offset, position }: PageStart,
  parameters: Parameters,
  scope: TenantScope | undefined,
): string {
  const { definition, names, types } = searched
  const { filters, limit } = request
  const sort = (request.sort ?? definition.sort).filter((by) => 'column' in by)
  const { add } = parameters
  const key = `t.${ident(definition.key)}`
  const levels = sort.map(({ column, order }, at) => ({
    column: `t.${ident(column)}`,
    value: `(select o.sort_${at} from position o)`,
    order,
  }))
  const order = [
    ...levels.map(({ column, order }) => `${column} ${order} nulls last`),
    `${key}::text collate "C"`,
  ].join(', ')
  const sortTypes = sort.map(({ column }) => types[column] as ColumnType)
  const read = position && `${positionFrom(add(JSON.stringify(position)), sortTypes)}, `
  const conditions = [
    `${key} is not null`,
    ...ofTenant(searched, scope, add),
    ...filters.map(({ node }) => filterCondition(node, types, add)),
    ...(position === undefined
      ? []
      : [comesAfter(levels, '(select o.key from position o)', `${key}::text`)]),
  ]
  const whose = scope === undefined ? '' : `, ${add(scope.word)}::text`
  const most = add(limit)
  const asked = queryParameters(NOTHING_ASKED, parameters)
  // One more than the page, to know whether there are more.
  return /* sql */ `
    with ${read ?? ''}listed as materialized (
      select ${key}::text as key, ${shownRow(searched)} as row, row_number() over () as place${sort
        .map(({ column }, at) => `, t.${ident(column)} as sort_${at}`)
        .join('')}
      from (
        select * from ${tableOf(definition)} t
        where ${conditions.join('\n          and ')}
        order by ${order} limit ${most}::int + 1 offset ${add(position === undefined ? offset : 0)}::int
      ) t
    ), page as materialized (
      select l.*, 0::double precision as score from listed l where l.place <= ${most}::int
    )
    select c.total::text as total,
      (select coalesce(json_agg(json_build_object(
          'key', p.key, 'score', p.score, 'row', p.row) order by p.place), '[]') from page p) as hits,
      c.counts as facets,
      (select count(*) > ${most}::int from listed) as more,
      ${lastHit(searched, sortTexts(sortTypes, 'p'))} as last,
      false as short
    from ${names.functions.count}(${asked}, true,
      ${add(filter && JSON.stringify(filter))}::text::jsonb, ${add(JSON.stringify(facets))}::text::jsonb${whose}) c`
}
