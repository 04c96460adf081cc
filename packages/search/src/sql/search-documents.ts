import { ident, literal, type Statement, statementName } from '@howdah/core'
import { engineOf } from '../engine/engine-of.js'
import { type IndexNames, tableOf } from '../names.js'
import { excludedQuery, nativeQuery } from '../native/native-query.js'
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
  /** Columns that are not shown. */
  readonly unseen: readonly string[]
  /** Whether the query has words to rank by; without any, everything is listed. */
  readonly ranked: boolean
  /** Empty for the order by score. */
  readonly sort: readonly Sorting[]
  /** Whether only the best are asked for, so that not every match has to be looked at. */
  readonly top: boolean
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
  return ({ plan, minimum, limit, offset, facets, filters }) => {
    const query = shape.ranked
      ? nativeQuery(plan, minimum, labelsOf)
      : excludedQuery(plan, labelsOf)
    const { simple, terms, weights, units, need, wanted, unwanted, counted } = query
    const { stars, stems, seeks } = query
    const asked = [simple, terms, weights, units, need, wanted, unwanted, counted]
    // A parameter that the text does not use would be an error.
    const listed = [plan.pinned, plan.hidden, ...filters]
    if (shape.definition.facets.length > 0) listed.push(facets)
    return {
      name,
      text,
      values: [...asked, stars, stems, seeks, limit, offset, ...(shape.top ? [] : listed)],
    }
  }
}

const QUERY = `$1::boolean, $2::text[], $3::double precision[], $4::int[], $5::int, $6::text::tsquery, $7::text::tsquery,
        $8::text[]::tsquery[], $9::text[]::tsquery[], $10::text[], $11::text[]`

function renderTop({ definition, names, types, unseen }: SearchShape): string {
  const keyType = (types[definition.key] as ColumnType).type
  return /* sql */ `
    with found as materialized (
      select keys, scores, total
      from ${names.functions.search}(${QUERY}, $12::int + $13::int)
    ), page as (
      select u.key, u.score, u.place
      from found cross join lateral unnest(keys, scores) with ordinality u(key, score, place)
      where u.place > $13::int and u.place <= $12::int + $13::int
    )
    select (select total::text from found) as total,
      (select coalesce(json_agg(json_build_object(
          'key', p.key, 'score', p.score, 'row', ${rowOf(unseen)}) order by p.place), '[]')
       from page p join ${tableOf(definition)} t on t.${ident(definition.key)} = p.key::${keyType}) as hits,
      json_build_array(${definition.facets.map(() => "'[]'::json").join(', ')}) as facets`
}

function renderAll(shape: SearchShape): string {
  const { definition, names, types, unseen, ranked, sort } = shape
  const table = tableOf(definition)
  const key = `t.${ident(definition.key)}`
  const keyType = (types[definition.key] as ColumnType).type
  const columns = [
    ...definition.facets.map((column, at) => `t.${ident(column)} as facet_${at}`),
    ...sort.map(({ column }, at) => `t.${ident(column)} as sort_${at}`),
  ]
  const order = [
    `array_position($14::text[], key collate "default")`,
    ...sort.map(({ order }, at) => `sort_${at} ${order} nulls last`),
    ...(sort.length === 0 ? ['score desc'] : []),
    'key',
  ].join(', ')
  const { match } = names.functions
  const from = ranked
    ? `(
        select key, score from found
        union all
        select pin, 0 from unnest($14::text[]) pin
        where pin not in (select key from found)
          and ${engineOf(definition.engine).holds(names, 'pin')}
      ) d join ${table} t on ${key} = d.key::${keyType}`
    : `${table} t`
  const conditions = [
    ranked
      ? 'd.key <> all ($15::text[])'
      : `(${key} not in (select found.key::${keyType} from found) or ${key}::text = any ($14::text[]))
        and ${key}::text <> all ($15::text[]) and ${key} is not null`,
    ...definition.filters.map((column, at) => filter(column, at, types)),
  ]
  return /* sql */ `
    with found as materialized (
      select m.key, m.score from ${match}(${QUERY}) m
    ), matched as materialized (
      select ${ranked ? 'd.key, d.score' : `${key}::text collate "C" as key, 0::double precision as score`}
        ${columns.map((column) => `, ${column}`).join('')}
      from ${from}
      where ${conditions.join('\n        and ')}
    ), page as materialized (
      select key, score, row_number() over (order by ${order}) as place
      from matched order by ${order} limit $12::int offset $13::int
    )
    select (select count(*)::text from matched) as total,
      (select coalesce(json_agg(json_build_object(
          'key', p.key, 'score', p.score, 'row', ${rowOf(unseen)}) order by p.place), '[]')
       from page p join ${table} t on ${key} = p.key::${keyType}) as hits,
      json_build_array(${definition.facets.map((column, at) => facet(shape, column, at)).join(', ')}) as facets`
}

/** The row `t` as hits show it. */
function rowOf(unseen: readonly string[]): string {
  if (unseen.length === 0) return 'to_jsonb(t)'
  return `to_jsonb(t) - array[${unseen.map((column) => literal(column)).join(', ')}]::text[]`
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
