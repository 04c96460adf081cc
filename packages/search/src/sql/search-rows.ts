import { ident } from '@howdah/core'
import type { FacetRequest } from '../facet/facet-request.js'
import { filterCondition } from '../filter/filter-condition.js'
import { tableOf } from '../names.js'
import { lengthOfValue, MAX_VALUE, sameValue } from '../native/attributes.js'
import { MAX_FACET_VALUES } from '../native/count.js'
import { excludedQuery, nativeQuery } from '../native/native-query.js'
import { isTenants, TENANT_MASK, tenantAttribute } from '../native/tenant.js'
import type { LabelsOf } from '../query/plan-query.js'
import type { QueryPlan } from '../query/query-plan.js'
import type { SearchRequest } from '../search-request.js'
import type { TenantScope } from '../tenant/tenant-scope.js'
import type { ColumnType } from './describe-table.js'
import type { Parameters } from './parameters.js'
import { queryParameters, type Searched } from './searched.js'

/** Looks at every row that matches, live and under the rights of the caller. */
export function searchRows(
  searched: Searched,
  plan: QueryPlan,
  labelsOf: LabelsOf,
  request: SearchRequest,
  parameters: Parameters,
  scope: TenantScope | undefined,
): string {
  const { definition, names, types, attributes } = searched
  const { facets, filters, limit, offset, minimumMatch } = request
  const sort = request.sort ?? (plan.blank ? definition.sort : [])
  // Whether the rows are those that the index answers, and not those that it leaves of the table.
  const ranked = !plan.blank || scope?.few === true
  const { add } = parameters
  const query = ranked ? nativeQuery(plan, minimumMatch, labelsOf) : excludedQuery(plan, labelsOf)
  const asked = queryParameters(query, parameters)
  const pinned = `${add(plan.pinned)}::text[]`
  const hidden = `${add(plan.hidden)}::text[]`
  const table = tableOf(definition)
  const key = `t.${ident(definition.key)}`
  const keyType = (types[definition.key] as ColumnType).type
  // Of a tenant, always by the key: the planner does not know how few its rows are.
  const liveRow = (of: string) =>
    scope === undefined
      ? `join ${table} t on ${key} = ${of}::${keyType}`
      : `cross join lateral (select * from ${table} t where ${key} = ${of}::${keyType} limit 1) t`
  const found = foundBy(searched, asked, plan.blank, scope, add)
  // What a facet leaves out is not cut but noted, for those that do not.
  const own = filters.filter(({ column }) => facets.some((facet) => facet.column === column))
  const others = filters.filter((entry) => !own.includes(entry))
  const columns = [
    ...facets.map(({ column }, at) => `t.${ident(column)} as facet_${at}`),
    ...sort.map(({ column }, at) => `t.${ident(column)} as sort_${at}`),
    ...own.map(({ node }, at) => `(${filterCondition(node, types, add)}) is true as own_${at}`),
  ]
  const allowed = (facet?: FacetRequest) =>
    [
      'true',
      ...own.flatMap(({ column }, at) => (column === facet?.column ? [] : [`own_${at}`])),
    ].join(' and ')
  const order = [
    `array_position(${pinned}, key collate "default")`,
    ...sort.map(({ order }, at) => `sort_${at} ${order} nulls last`),
    ...(sort.length === 0 ? ['score desc'] : []),
    'key',
  ].join(', ')
  const from = ranked
    ? `(
        select key, score from found
        union all
        select pin, 0 from unnest(${pinned}) pin
        where pin not in (select key from found)
          and exists (
            select from ${names.hot} h where h.key = pin
            union all select from ${names.document} d where d.key = pin)
      ) d ${liveRow('d.key')}`
    : `${table} t`
  const conditions = [
    ...(scope === undefined ? [] : [isTenants(tenantAttribute(attributes), add(scope.value))]),
    ranked
      ? `d.key <> all (${hidden})`
      : `(${key} not in (select found.key::${keyType} from found) or ${key}::text = any (${pinned}))
        and ${key}::text <> all (${hidden}) and ${key} is not null`,
    ...others.map(({ node }) => filterCondition(node, types, add)),
  ]
  const counts = facets.map((facet, at) => counted(facet, at, allowed(facet), searched, add))
  return /* sql */ `
    with found as materialized (
      ${found}
    ), matched as materialized (
      select ${ranked ? 'd.key, d.score' : `${key}::text collate "C" as key, 0::double precision as score`}
        ${columns.map((column) => `, ${column}`).join('')}
      from ${from}
      where ${conditions.join('\n        and ')}
    ), page as materialized (
      select key, score, row_number() over (order by ${order}) as place
      from matched where ${allowed()} order by ${order} limit ${add(limit)}::int offset ${add(offset)}::int
    )
    select (select count(*)::text from matched where ${allowed()}) as total,
      (select coalesce(json_agg(json_build_object(
          'key', p.key, 'score', p.score, 'row', to_jsonb(t)) order by p.place), '[]')
       from page p ${liveRow('p.key')}) as hits,
      json_build_array(${counts.join(', ')}) as facets`
}

/** What the index finds: keys and scores. */
function foundBy(
  { names: { functions } }: Searched,
  asked: string,
  everything: boolean,
  scope: TenantScope | undefined,
  add: Parameters['add'],
): string {
  if (scope === undefined) {
    return `select m.key collate "C" as key, m.score from ${functions.match}(${asked}, null, null) m`
  }
  const whose = `(select ${add(scope.word)}::text as whose) w`
  if (scope.few) {
    return `select m.key collate "C" as key, m.score from ${whose} cross join lateral ${functions.own}(${asked}, ${everything}, w.whose) m`
  }
  return `select m.key collate "C" as key, m.score from ${whose}
      cross join lateral ${functions.cut}(${TENANT_MASK}) c
      cross join lateral ${functions.match}(${asked}, c.masks, c.hot, w.whose, c.masks) m`
}

function counted(
  { column, ranges }: FacetRequest,
  at: number,
  allowed: string,
  { types }: Searched,
  add: Parameters['add'],
): string {
  if (ranges !== undefined) {
    const counts = ranges.map(({ bounds }) => {
      const node = { kind: 'range', column, bounds } as const
      return `count(*) filter (where ${filterCondition(node, types, add, () => `facet_${at}`)})`
    })
    return `(select to_jsonb(array[${counts.join(', ')}]::bigint[]) from matched where ${allowed})`
  }
  const { element, kind } = types[column] as ColumnType
  const value = sameValue(kind, 'one')
  const values = `select ${element === null ? '' : 'distinct '}to_jsonb(${value}) as value
            from ${element === null ? `(select facet_${at} as one) single` : `unnest(facet_${at}) one`}
            where one is not null${lengthOfValue(kind, value, ` <= ${MAX_VALUE}`)}`
  return `(
        select coalesce(json_agg(json_build_object('value', value, 'count', n) order by n desc, value::text collate "C"), '[]')
        from (
          select v.value, count(*)::int as n
          from matched cross join lateral (${values} offset 0) v
          where ${allowed} group by 1 order by 2 desc, v.value::text collate "C" limit ${MAX_FACET_VALUES}
        ) counted
      )`
}
