import { ident } from '@howdah/core'
import { engineOf } from '../engine/engine-of.js'
import type { FacetRequest } from '../facet/facet-request.js'
import { filterCondition } from '../filter/filter-condition.js'
import { circlesOf } from '../filter/filter-node.js'
import { distanceFrom, distancesOf, measuredFrom } from '../geo/geo-sql.js'
import { hybridSql, RANKS, RANKS_OF_HIT } from '../hybrid/hybrid-sql.js'
import type { VectorColumn } from '../hybrid/vector-column.js'
import { tableOf } from '../names.js'
import { lengthOfValue, MAX_VALUE, sameValue } from '../native/attributes.js'
import { MAX_FACET_VALUES } from '../native/count.js'
import { excludedQuery, nativeQuery } from '../native/native-query.js'
import { comesAfter, positionFrom, type SortLevel, sortTexts, unchanged } from '../page/after.js'
import type { QueryPlan } from '../query/query-plan.js'
import type { SearchRequest } from '../search-request.js'
import type { TenantScope } from '../tenant/tenant-scope.js'
import { type ColumnType, comparedType } from './describe-table.js'
import type { Parameters } from './parameters.js'
import {
  joinRow,
  labelsIn,
  lastHit,
  type Masked,
  ofTenant,
  type PageStart,
  queryParameters,
  type Searched,
  shownRow,
} from './searched.js'

const METRES: ColumnType = { type: 'pg_catalog.float8', element: null, kind: null, collation: null }

/** Looks at every row that matches, live and under the rights of the caller. */
export function searchRows(
  searched: Searched,
  plan: QueryPlan,
  request: SearchRequest,
  { offset, position }: PageStart,
  vector: VectorColumn | undefined,
  masked: Masked | undefined,
  parameters: Parameters,
  scope: TenantScope | undefined,
): string {
  const { definition, names, types } = searched
  const { facets, filters, limit, minimumMatch, hybrid } = request
  const labelsOf = labelsIn(definition)
  const sort = request.sort ?? (plan.blank && vector === undefined ? definition.sort : [])
  // Whether the rows are those that the index answers, and not those that it leaves of the table.
  const ranked = !plan.blank || vector !== undefined || scope?.few === true
  const points = measuredFrom(circlesOf(filters.map(({ node }) => node)), sort)
  const places = [...points.keys()]
  const nears = places.map((_, at) => `near_${at}`)
  const ranks = vector === undefined ? [] : RANKS
  const { add } = parameters
  const query = ranked ? nativeQuery(plan, minimumMatch, labelsOf) : excludedQuery(plan, labelsOf)
  const asked = queryParameters(query, parameters)
  const pinned = `${add(plan.pinned)}::text[]`
  const hidden = `${add(plan.hidden)}::text[]`
  const [most, passed] = [add(limit), add(position === undefined ? offset : 0)]
  const table = tableOf(definition)
  const key = `t.${ident(definition.key)}`
  const keyType = comparedType(types[definition.key] as ColumnType)
  // What a facet leaves out is not cut but noted, for those that do not.
  const own = filters.filter(({ column }) => facets.some((facet) => facet.column === column))
  const others = filters.filter((entry) => !own.includes(entry))
  const columns = [
    ...facets.map(({ column }, at) => `t.${ident(column)} as facet_${at}`),
    ...sort.map(
      (by, at) =>
        `${'near' in by ? distanceFrom(definition, by.near, by, add) : `t.${ident(by.column)}`} as sort_${at}`,
    ),
    ...[...points].map(
      ([name, point], at) => `${distanceFrom(definition, name, point, add)} as near_${at}`,
    ),
    ...ranks.map((rank) => `d.${rank}`),
    ...own.map(({ node }, at) => `(${filterCondition(node, types, add)}) is true as own_${at}`),
  ]
  const allowed = (facet?: FacetRequest) =>
    [
      'true',
      ...own.flatMap(({ column }, at) => (column === facet?.column ? [] : [`own_${at}`])),
    ].join(' and ')
  const pin = (key: string) => `array_position(${pinned}, ${key} collate "default")`
  const levels: SortLevel[] = [
    { column: pin('key'), value: `(select ${pin('o.key')} from position o)`, order: 'asc' },
    ...sort.map(({ order }, at) => ({
      column: `sort_${at}`,
      value: `(select o.sort_${at} from position o)`,
      order,
    })),
  ]
  if (sort.length === 0) {
    const value = `(select coalesce((select m.score from matched m where m.key = ${unchanged(definition, types)}), o.score) from position o)`
    levels.push({ column: 'score', value, order: 'desc' })
  }
  const order = [
    ...levels.map(({ column, order }) => `${column} ${order} nulls last`),
    'key collate "C"',
  ].join(', ')
  const sortTypes = sort.map((by) => ('near' in by ? METRES : (types[by.column] as ColumnType)))
  const read = position && `, ${positionFrom(add(JSON.stringify(position)), sortTypes)}`
  const after = position && ` and ${comesAfter(levels, '(select o.key from position o)')}`
  const from = ranked
    ? `(
        select key, score${ranks.map((rank) => `, ${rank}`).join('')} from found
        union all
        select pin, 0${ranks.map(() => ', null').join('')} from unnest(${pinned}) pin
        where pin not in (select key from found)
          and ${engineOf(definition.engine).holds(names, 'pin')}
      ) d ${joinRow(searched, 'd.key')}`
    : `${table} t`
  const tenant = ofTenant(searched, scope, add)
  const conditions = [
    ...tenant,
    ranked
      ? `d.key <> all (${hidden})`
      : `(${key} not in (select found.key::${keyType} from found) or ${key}::text = any (${pinned}))
        and ${key}::text <> all (${hidden}) and ${key} is not null`,
    ...others.map(({ node }) => filterCondition(node, types, add)),
  ]
  const counts = facets.map((facet, at) => counted(facet, at, allowed(facet), searched, add))
  const shown = `${distancesOf(
    places,
    nears.map((near) => `p.${near}`),
  )}${vector === undefined ? '' : RANKS_OF_HIT}`
  const found =
    hybrid === undefined || vector === undefined
      ? `found as materialized (
      ${foundBy(searched, asked, plan.blank, scope, add)}
    )`
      : hybridSql(
          hybrid,
          vector,
          {
            names,
            table,
            key,
            keyType,
            query: asked,
            excluded:
              plan.excluded.length === 0
                ? undefined
                : queryParameters(excludedQuery(plan, labelsOf), parameters),
            hidden,
            filter: masked && `${add(masked.filter && JSON.stringify(masked.filter))}::text::jsonb`,
            conditions: [
              ...tenant,
              ...filters.map(({ node }) => filterCondition(node, types, add)),
            ],
            whose: scope === undefined ? '' : `, ${add(scope.word)}::text`,
          },
          add,
        )
  return /* sql */ `
    with ${found}, matched as materialized (
      select ${ranked ? 'd.key, d.score' : `${key}::text collate "C" as key, 0::double precision as score`}
        ${columns.map((column) => `, ${column}`).join('')}
      from ${from}
      where ${conditions.join('\n        and ')}
    )${read ?? ''}, page as materialized (
      select ${['key', 'score', ...ranks, ...nears, ...sort.map((_, at) => `sort_${at}`)].join(', ')},
        row_number() over (order by ${order}) as place, count(*) over () as rest
      from matched where ${allowed()}${after ?? ''} order by ${order} limit ${most}::int offset ${passed}::int
    )
    select (select count(*)::text from matched where ${allowed()}) as total,
      (select coalesce(json_agg(json_build_object(
          'key', p.key, 'score', p.score, 'row', ${shownRow(searched)}${shown}) order by p.place), '[]')
       from page p ${joinRow(searched, 'p.key')}) as hits,
      json_build_array(${counts.join(', ')}) as facets,
      (select coalesce(max(p.rest) > ${most}::int + ${passed}::int, false) from page p) as more,
      ${lastHit(searched, sortTexts(sortTypes, 'p'))} as last,
      false as short`
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
    return `select m.key, m.score from ${functions.match}(${asked}, null, null) m`
  }
  const whose = `${add(scope.word)}::text`
  return scope.few
    ? `select m.key, m.score from ${functions.own}(${asked}, ${everything}, ${whose}) m`
    : `select m.key, m.score from ${functions.match}(${asked}, null, null, ${whose}) m`
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
