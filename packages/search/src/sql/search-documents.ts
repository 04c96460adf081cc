import { ident, literal, type Statement, statementName } from '@howdah/core'
import { curatedPage } from '../curation/curated-page.js'
import {
  distancesOf,
  type GeoShape,
  type GeoValues,
  geoParameters,
  geoSql,
  geoValues,
} from '../geo/geo-sql.js'
import type { NearSorting } from '../geo/near.js'
import type { ResolvedHybrid } from '../hybrid/hybrid-options.js'
import {
  type HybridShape,
  hybridSql,
  hybridValues,
  RANKS,
  RANKS_OF_HIT,
} from '../hybrid/hybrid-sql.js'
import { type IndexNames, tableOf } from '../names.js'
import { excludedQuery, type NativeQuery, nativeQuery } from '../native/native-query.js'
import type { Definition, Sorting } from '../options.js'
import type { QueryPlan } from '../query/query-plan.js'
import type { ColumnType } from './describe-table.js'

const MAX_FACET_VALUES = 100
/** Parameters before those of the filters. */
const FIXED = 15

/** What a search statement is made for: one text for each, whatever the values are. */
export interface SearchShape {
  readonly schema: string
  readonly definition: Definition
  readonly names: IndexNames
  readonly types: Readonly<Record<string, ColumnType>>
  /** Whether the query has words to rank by; without any, everything is listed. */
  readonly ranked: boolean
  /** Empty for the order by score. */
  readonly sort: readonly (Sorting | Pick<NearSorting, 'near' | 'order'>)[]
  readonly geo: GeoShape
  /** Whether only the best are asked for, so that not every match has to be looked at. */
  readonly top: boolean
  /** Whether some rows are pinned or hidden. */
  readonly curated: boolean
  /** Whether, and how, vectors rank besides the words. */
  readonly hybrid: HybridShape | undefined
}

/** Values of one search. */
export interface SearchValues {
  readonly plan: QueryPlan
  /** How many of the query's words a row must have, where none is required. */
  readonly minimum: number
  readonly limit: number
  readonly offset: number
  readonly facets: readonly string[]
  /** For each of the definition's filters the values it allows, as text, or null where it allows all. */
  readonly filters: readonly (readonly (string | null)[] | null)[]
  readonly geo: GeoValues
  readonly hybrid: ResolvedHybrid | undefined
}

/** The page that was asked for; counted over all that matches. */
export interface SearchRow {
  readonly total: string
  readonly hits: { key: string; score: number; row: Record<string, unknown> }[]
  /** In the order of the definition's facets. */
  readonly facets: { value: unknown; count: number }[][]
}

/** Finds, ranks and counts in one statement, so on one snapshot. */
export function searchDocuments(
  shape: SearchShape,
): (values: SearchValues) => Statement<SearchRow> {
  const text = shape.top ? renderTop(shape) : renderAll(shape)
  const name = statementName('search.search', text)
  const labelsOf = (field: string) => {
    const at = shape.definition.classes.findIndex(({ columns }) => columns.includes(field))
    return 'ABCD'.charAt(at)
  }
  return ({ plan, minimum, limit, offset, facets, filters, geo, hybrid }) => {
    const query = shape.ranked
      ? nativeQuery(plan, minimum, labelsOf)
      : excludedQuery(plan, labelsOf)
    const curated = shape.curated ? [plan.pinned, plan.hidden] : []
    // A parameter that the text does not use would be an error.
    const faceted = shape.definition.facets.length > 0 ? [facets] : []
    const barred = shape.hybrid?.excluding ? argumentsOf(excludedQuery(plan, labelsOf)) : []
    const fused = hybrid === undefined ? [] : hybridValues(hybrid, barred)
    const listed = [plan.pinned, plan.hidden, ...filters, ...faceted, ...geoValues(geo), ...fused]
    return {
      name,
      text,
      values: [...argumentsOf(query), limit, offset, ...(shape.top ? curated : listed)],
    }
  }
}

function argumentsOf(query: NativeQuery): unknown[] {
  const { simple, terms, weights, units, need, wanted, unwanted, counted } = query
  const { stars, stems, seeks } = query
  return [simple, terms, weights, units, need, wanted, unwanted, counted, stars, stems, seeks]
}

const QUERY = `$1::boolean, $2::text[], $3::double precision[], $4::int[], $5::int, $6::text::tsquery, $7::text::tsquery,
        $8::text[]::tsquery[], $9::text[]::tsquery[], $10::text[], $11::text[]`

function renderTop({ definition, names, types, curated }: SearchShape): string {
  const keyType = (types[definition.key] as ColumnType).type
  const page = /* sql */ `found as materialized (
      select keys, scores, total
      from ${names.functions.search}(${QUERY}, $12::int + $13::int)
    ), page as (
      select u.key, u.score, u.place
      from found cross join lateral unnest(keys, scores) with ordinality u(key, score, place)
      where u.place > $13::int and u.place <= $12::int + $13::int
    )`
  return /* sql */ `
    with ${curated ? curatedPage(names, QUERY) : page}
    select (select total::text from found) as total,
      (select coalesce(json_agg(json_build_object(
          'key', p.key, 'score', p.score, 'row', to_jsonb(t)) order by p.place), '[]')
       from page p join ${tableOf(definition)} t on t.${ident(definition.key)} = p.key::${keyType}) as hits,
      json_build_array(${definition.facets.map(() => "'[]'::json").join(', ')}) as facets`
}

function renderAll(shape: SearchShape): string {
  const { definition, names, types, ranked, sort, hybrid } = shape
  const table = tableOf(definition)
  const key = `t.${ident(definition.key)}`
  const keyType = (types[definition.key] as ColumnType).type
  const facetParameters = definition.facets.length > 0 ? 1 : 0
  const first = FIXED + definition.filters.length + facetParameters + 1
  const geo = geoSql(definition, types, shape.geo, first)
  const nears = shape.geo.distances.map((_, at) => `near_${at}`)
  const distances = distancesOf(
    shape.geo.distances,
    nears.map((near) => `p.${near}`),
  )
  const ranks = hybrid === undefined ? [] : RANKS
  const columns = [
    ...ranks.map((rank) => `d.${rank}`),
    ...definition.facets.map((column, at) => `t.${ident(column)} as facet_${at}`),
    ...geo.distances.map((distance, at) => `${distance} as near_${at}`),
    ...sort.flatMap((by, at) => ('column' in by ? [`t.${ident(by.column)} as sort_${at}`] : [])),
  ]
  const order = [
    `array_position($14::text[], key collate "default")`,
    ...sort.map((by, at) => {
      const value = 'column' in by ? `sort_${at}` : `near_${shape.geo.distances.indexOf(by.near)}`
      return `${value} ${by.order} nulls last`
    }),
    ...(sort.length === 0 ? ['score desc'] : []),
    'key',
  ].join(', ')
  const { match } = names.functions
  const from = ranked
    ? `(
        select key, score${ranks.map((rank) => `, ${rank}`).join('')} from found
        union all
        select pin, 0${ranks.map(() => ', null').join('')} from unnest($14::text[]) pin
        where pin not in (select key from found)
          and exists (
            select from ${names.hot} h where h.key = pin
            union all select from ${names.document} d where d.key = pin)
      ) d join ${table} t on ${key} = d.key::${keyType}`
    : `${table} t`
  const held = [
    ...definition.filters.map((column, at) => filter(column, at, types)),
    ...geo.conditions,
  ]
  const conditions = [
    ranked
      ? 'd.key <> all ($15::text[])'
      : `(${key} not in (select found.key::${keyType} from found) or ${key}::text = any ($14::text[]))
        and ${key}::text <> all ($15::text[]) and ${key} is not null`,
    ...held,
  ]
  const matches = `found as materialized (
      select m.key, m.score from ${match}(${QUERY}) m
    )`
  const frame = { functions: names.functions, table, key, keyType, query: QUERY, conditions: held }
  const vectors = first + geoParameters(shape.geo)
  return /* sql */ `
    with ${hybrid === undefined ? matches : hybridSql(hybrid, { ...frame, first: vectors })}, matched as materialized (
      select ${ranked ? 'd.key, d.score' : `${key}::text collate "C" as key, 0::double precision as score`}
        ${columns.map((column) => `, ${column}`).join('')}
      from ${from}
      where ${conditions.join('\n        and ')}
    ), page as materialized (
      select ${['key', 'score', ...ranks, ...nears].join(', ')}, row_number() over (order by ${order}) as place
      from matched order by ${order} limit $12::int offset $13::int
    )
    select (select count(*)::text from matched) as total,
      (select coalesce(json_agg(json_build_object(
          'key', p.key, 'score', p.score, 'row', to_jsonb(t)${distances}${hybrid === undefined ? '' : RANKS_OF_HIT}) order by p.place), '[]')
       from page p join ${table} t on ${key} = p.key::${keyType}) as hits,
      json_build_array(${definition.facets.map((column, at) => facet(shape, column, at)).join(', ')}) as facets`
}

function filter(column: string, at: number, types: SearchShape['types']): string {
  const parameter = `$${at + FIXED + 1}::text[]`
  const { type, element } = types[column] as ColumnType
  const name = `t.${ident(column)}`
  const equal =
    element === null
      ? `${name} = any (${parameter}::${type}[])`
      : `${name} && ${parameter}::${element}[]`
  return `(${parameter} is null or ${equal}
          or (${name} is null and array_position(${parameter}, null) is not null))`
}

function facet({ definition, types }: SearchShape, column: string, at: number): string {
  const asked = `$${definition.filters.length + FIXED + 1}::text[]`
  const isArray = (types[column] as ColumnType).element !== null
  const from = isArray
    ? `matched cross join lateral unnest(facet_${at}) as one(value)`
    : `(select facet_${at} as value from matched) one`
  return `(
        select coalesce(json_agg(json_build_object('value', value, 'count', n)
          order by n desc, value::text collate "C"), '[]')
        from (
          select to_jsonb(one.value) as value, count(*)::int as n from ${from}
          where ${literal(column)} = any (${asked}) and one.value is not null
          group by 1 order by 2 desc, (to_jsonb(one.value))::text collate "C" limit ${MAX_FACET_VALUES}
        ) counted
      )`
}
