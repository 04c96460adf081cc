import { ident, literal, type Statement, statementName } from '@howdah/core'
import { type IndexNames, tableOf } from '../names.js'
import { excludedQuery, type NativeQuery, nativeQuery } from '../native/native-query.js'
import type { Definition, Sorting } from '../options.js'
import {
  comesAfter,
  digestOf,
  positionFrom,
  type SortLevel,
  sortTexts,
  unchanged,
} from '../page/after.js'
import type { Position } from '../page/cursor.js'
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
  readonly sort: readonly Sorting[]
  /** Whether only the best are asked for, so that not every match has to be looked at. */
  readonly top: boolean
  /** Whether the page begins after a position. */
  readonly paged: boolean
}

/** Values of one search. */
export interface SearchValues {
  readonly plan: QueryPlan
  /** How many of the query's words a row must have, where none is required. */
  readonly minimum: number
  readonly limit: number
  /** Hits to pass over; with a position, how many more than a page to look at in `top`. */
  readonly offset: number
  readonly position: Position | undefined
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
  /** Hits after the position, those of the page included; without one, after what was passed over. */
  readonly rest: string
  /** The last hit; null where there is none. */
  readonly last: Omit<Position, 'passed'> | null
  /** Whether more than was looked at in `top` is needed to know the page. */
  readonly short: boolean
}

/** Finds, ranks and counts in one statement, so on one snapshot. */
export function searchDocuments(
  shape: SearchShape,
): (values: SearchValues) => Statement<SearchRow> {
  const text = shape.top ? renderTop(shape) : renderAll(shape)
  const name = statementName('search.search', text)
  const labelsOf = labelsIn(shape.definition)
  return ({ plan, minimum, limit, offset, position, facets, filters }) => {
    const asked = queryValues(
      shape.ranked ? nativeQuery(plan, minimum, labelsOf) : excludedQuery(plan, labelsOf),
    )
    // A parameter that the text does not use would be an error.
    const listed = [plan.pinned, plan.hidden, ...filters]
    if (shape.definition.facets.length > 0) listed.push(facets)
    const after = shape.paged ? [JSON.stringify(position)] : []
    return {
      name,
      text,
      values: [...asked, limit, offset, ...(shape.top ? [] : listed), ...after],
    }
  }
}

/** Tells by which weight of a `tsvector` a field is told from others. */
export function labelsIn({ classes }: Definition): (field: string) => string {
  return (field) => 'ABCD'.charAt(classes.findIndex(({ columns }) => columns.includes(field)))
}

/** A query as the parameters of {@link QUERY}. */
export function queryValues(query: NativeQuery): unknown[] {
  const { simple, terms, weights, units, need, wanted, unwanted, counted } = query
  const { stars, stems, seeks } = query
  const asked = [simple, terms, weights, units, need, wanted, unwanted, counted]
  return [...asked, stars, stems, seeks]
}

/** The arguments of an engine's function that takes a query, which are the first parameters. */
export const QUERY = `$1::boolean, $2::text[], $3::double precision[], $4::int[], $5::int, $6::text::tsquery, $7::text::tsquery,
        $8::text[]::tsquery[], $9::text[]::tsquery[], $10::text[], $11::text[]`

function renderTop({ definition, names, types, paged }: SearchShape): string {
  const keyType = (types[definition.key] as ColumnType).type
  const begin = paged
    ? `${positionFrom('$14', [])}, kept as materialized (
      select ${unchanged(definition, types)} as key
    ), start as materialized (
      select (select l.place from listed l where l.key = k.key) as own,
        (select count(*) from listed l where l.score > o.score or l.score = o.score and l.key collate "C" <= o.key) as above,
        k.key is not null as kept
      from position o cross join kept k
    ), begin as materialized (
      select coalesce(own, above) as at, kept and own is null as lost from start
    )`
    : 'begin as materialized (select $13::bigint as at, false as lost)'
  return /* sql */ `
    with found as materialized (
      select keys, scores, total
      from ${names.functions.search}(${QUERY}, $12::int + $13::int)
    ), listed as materialized (
      select u.key, u.score, u.place
      from found cross join lateral unnest(keys, scores) with ordinality u(key, score, place)
    ), ${begin}, page as materialized (
      select l.key, l.score, l.place from listed l
      where l.place > (select at from begin) and l.place <= (select at from begin) + $12::int
    )
    select (select total::text from found) as total,
      (select coalesce(json_agg(json_build_object(
          'key', p.key, 'score', p.score, 'row', to_jsonb(t)) order by p.place), '[]')
       from page p join ${tableOf(definition)} t on t.${ident(definition.key)} = p.key::${keyType}) as hits,
      json_build_array(${definition.facets.map(() => "'[]'::json").join(', ')}) as facets,
      (select greatest(f.total - b.at, 0)::text from found f cross join begin b) as rest,
      ${lastHit(definition, keyType, [])} as last,
      (select coalesce(cardinality(f.keys), 0) < f.total
          and (b.lost or b.at + $12::int > coalesce(cardinality(f.keys), 0))
       from found f cross join begin b) as short`
}

/** The last hit of the page, as a position is made of it. */
function lastHit(definition: Definition, keyType: string, sorts: readonly string[]): string {
  return `(select json_build_object('key', p.key, 'score', p.score, 'digest', ${digestOf('t')},
          'sorts', json_build_array(${sorts.join(', ')}))
       from page p join ${tableOf(definition)} t on t.${ident(definition.key)} = p.key::${keyType}
       order by p.place desc limit 1)`
}

function renderAll(shape: SearchShape): string {
  const { definition, names, types, ranked, sort, paged } = shape
  const table = tableOf(definition)
  const key = `t.${ident(definition.key)}`
  const keyType = (types[definition.key] as ColumnType).type
  const columns = [
    ...definition.facets.map((column, at) => `t.${ident(column)} as facet_${at}`),
    ...sort.map(({ column }, at) => `t.${ident(column)} as sort_${at}`),
  ]
  const pin = (key: string) => `array_position($14::text[], ${key} collate "default")`
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
  const sortTypes = sort.map(({ column }) => types[column] as ColumnType)
  const parameters = FIXED + definition.filters.length + (definition.facets.length > 0 ? 1 : 0)
  const { match } = names.functions
  const from = ranked
    ? `(
        select key, score from found
        union all
        select pin, 0 from unnest($14::text[]) pin
        where pin not in (select key from found)
          and exists (
            select from ${names.hot} h where h.key = pin
            union all select from ${names.document} d where d.key = pin)
      ) d join ${table} t on ${key} = d.key::${keyType}`
    : `${table} t`
  const conditions = [
    ranked
      ? 'd.key <> all ($15::text[])'
      : `(${key} not in (select found.key::${keyType} from found) or ${key}::text = any ($14::text[]))
        and ${key}::text <> all ($15::text[]) and ${key} is not null`,
    ...filterConditions(definition, types, FIXED + 1),
  ]
  return /* sql */ `
    with found as materialized (
      select m.key, m.score from ${match}(${QUERY}) m
    ), matched as materialized (
      select ${ranked ? 'd.key, d.score' : `${key}::text collate "C" as key, 0::double precision as score`}
        ${columns.map((column) => `, ${column}`).join('')}
      from ${from}
      where ${conditions.join('\n        and ')}
    )${paged ? `, ${positionFrom(`$${parameters + 1}`, sortTypes)}` : ''}, page as materialized (
      select key, score${sort.map((_, at) => `, sort_${at}`).join('')},
        row_number() over (order by ${order}) as place, count(*) over () as rest
      from matched ${paged ? `where ${comesAfter(levels, '(select o.key from position o)')}` : ''}
      order by ${order} limit $12::int offset $13::int
    )
    select (select count(*)::text from matched) as total,
      (select coalesce(json_agg(json_build_object(
          'key', p.key, 'score', p.score, 'row', to_jsonb(t)) order by p.place), '[]')
       from page p join ${table} t on ${key} = p.key::${keyType}) as hits,
      json_build_array(${definition.facets.map((column, at) => facet(shape, column, at)).join(', ')}) as facets,
      (select greatest(coalesce(max(p.rest), 0) - $13::int, 0)::text from page p) as rest,
      ${lastHit(definition, keyType, sortTexts(sort, types, 'p'))} as last,
      false as short`
}

/** What the definition's filters ask of a row `t`, with a parameter for each from a number on. */
export function filterConditions(
  { filters }: Definition,
  types: SearchShape['types'],
  first: number,
): string[] {
  return filters.map((column, at) => filter(column, first + at, types))
}

function filter(column: string, number: number, types: SearchShape['types']): string {
  const parameter = `$${number}::text[]`
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
