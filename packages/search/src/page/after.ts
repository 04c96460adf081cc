import { ident } from '@howdah/core'
import { tableOf } from '../names.js'
import type { Definition } from '../options.js'
import { type ColumnType, comparedType } from '../sql/describe-table.js'

/** One of the things that a page is sorted by, in the SQL of a search. */
export interface SortLevel {
  readonly column: string
  /** The same of the last hit of the page before. */
  readonly value: string
  readonly order: 'asc' | 'desc'
}

/**
 * The condition of coming after a position in an order with nulls last, ties broken by the key. Compared level by level, since a comparison of whole
 * rows knows neither nulls nor mixed directions.
 */
export function comesAfter(levels: readonly SortLevel[], key: string, own = 'key'): string {
  return levels.reduceRight(
    (rest, { column, value, order }) =>
      `(coalesce(${column} ${order === 'asc' ? '>' : '<'} ${value}, ${column} is null and ${value} is not null)
        or ${column} is not distinct from ${value} and ${rest})`,
    `${own} collate "C" > ${key}`,
  )
}

/** Reads a parameter, a position in JSON, as the one row of `position`. */
export function positionFrom(parameter: string, sortTypes: readonly ColumnType[]): string {
  const sorts = sortTypes.map(
    ({ type }, at) => `, (c.c -> 'sorts' ->> ${at})::${type} as sort_${at}`,
  )
  return `position as materialized (
      select c.c ->> 'key' as key, c.c ->> 'digest' as digest, (c.c ->> 'score')::double precision as score${sorts.join('')}
      from (select ${parameter}::text::jsonb as c) c
    )`
}

/** The key of `position`, if its row is the same as then. */
export function unchanged(
  definition: Definition,
  types: Readonly<Record<string, ColumnType>>,
): string {
  const type = comparedType(types[definition.key] as ColumnType)
  return `(select o.key from position o
      join ${tableOf(definition)} t on t.${ident(definition.key)} = o.key::${type} and ${digestOf('t')} = o.digest)`
}

/** Tells one version of a row from others. */
export function digestOf(row: string): string {
  return `md5(to_jsonb(${row})::text)`
}

/** A value to sort by as text that its type reads, whatever the settings of the connection are. */
export function sortText(value: string, { type }: ColumnType): string {
  return /\.(?:date|timestamp|timestamptz)$/.test(type)
    ? `to_jsonb(${value}) #>> '{}'`
    : `${value}::text`
}

/** The columns of the hits that a position is made of. */
export function sortTexts(types: readonly ColumnType[], from: string): string[] {
  return types.map((type, at) => sortText(`${from}.sort_${at}`, type))
}
