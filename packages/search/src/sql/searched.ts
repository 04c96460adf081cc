import { ident, literal } from '@howdah/core'
import type { FilterProgram } from '../filter/filter-program.js'
import { type IndexNames, tableOf } from '../names.js'
import type { Attribute } from '../native/attributes.js'
import type { NativeQuery } from '../native/native-query.js'
import { isTenants, tenantAttribute } from '../native/tenant.js'
import type { Definition } from '../options.js'
import { digestOf } from '../page/after.js'
import type { Position } from '../page/cursor.js'
import type { LabelsOf } from '../query/plan-query.js'
import type { TenantScope } from '../tenant/tenant-scope.js'
import { type ColumnType, comparedType } from './describe-table.js'
import type { Parameters } from './parameters.js'

/** What there is to search. */
export interface Searched {
  readonly definition: Definition
  readonly names: IndexNames
  readonly types: Readonly<Record<string, ColumnType>>
  /** Undefined with an engine that has no masks. */
  readonly attributes: readonly Attribute[] | undefined
  /** Columns that hits do not show. */
  readonly unseen: readonly string[]
  /** Whether policies decide which rows a role sees, so that all that matches has to be looked at row by row. */
  readonly secured: boolean
}

/** The page that was asked for; counted over all that matches. */
export interface SearchRow {
  readonly total: string
  readonly hits: { key: string; score: number; row: Record<string, unknown> }[]
  /** In the order in which they were asked for: values with counts, or for each range a count. */
  readonly facets: (readonly unknown[])[]
  /** Whether there are hits after the page. */
  readonly more: boolean
  /** The last hit; null where there is none. */
  readonly last: Omit<Position, 'passed'> | null
  /** Whether more than was looked at is needed to know the page. */
  readonly short: boolean
}

/** Where a page begins. */
export interface PageStart {
  /** Hits to pass over; with a position, how many more than a page to look at where only the best are. */
  readonly offset: number
  /** The hit that it comes after. */
  readonly position: Position | undefined
}

/** A facet as the functions of a generation take it; `filter` is there where it is not the one for all. */
export interface FacetProgram {
  readonly column: number
  readonly kind: string
  readonly filter?: FilterProgram | null
  readonly ranges?: readonly FilterProgram[]
}

/** What is filtered and counted by masks. */
export interface Masked {
  readonly filter: FilterProgram | null
  readonly facets: readonly FacetProgram[]
}

/** Tells by which weight of a `tsvector` a field is told from others. */
export function labelsIn({ classes }: Definition): LabelsOf {
  return (field) => 'ABCD'.charAt(classes.findIndex(({ columns }) => columns.includes(field)))
}

/** Conditions on the live row `t`: that it is of the tenant who is asked about. */
export function ofTenant(
  { attributes = [] }: Pick<Searched, 'attributes'>,
  scope: TenantScope | undefined,
  add: Parameters['add'],
): string[] {
  return scope === undefined ? [] : [isTenants(tenantAttribute(attributes), add(scope.value))]
}

/**
 * Joins the live row `t` of a key. Where there are tenants it is always looked up by the key: under policies the planner does not know how few the rows
 * are, and would rather scan the table.
 */
export function joinRow(
  { definition, types }: Pick<Searched, 'definition' | 'types'>,
  of: string,
): string {
  const table = tableOf(definition)
  const same = `t.${ident(definition.key)} = ${of}::${comparedType(types[definition.key] as ColumnType)}`
  if (definition.tenant === undefined) return `join ${table} t on ${same}`
  return `cross join lateral (select * from ${table} t where ${same} limit 1) t`
}

/** The row `t` as hits show it. */
export function shownRow({ unseen }: Pick<Searched, 'unseen'>): string {
  if (unseen.length === 0) return 'to_jsonb(t)'
  return `to_jsonb(t) - array[${unseen.map((column) => literal(column)).join(', ')}]::text[]`
}

/** The last hit of `page`, as a position is made of it. */
export function lastHit(searched: Searched, sorts: readonly string[]): string {
  return `(select json_build_object('key', p.key, 'score', p.score, 'digest', ${digestOf('t')},
          'sorts', json_build_array(${sorts.join(', ')}))
       from page p ${joinRow(searched, 'p.key')}
       order by p.place desc limit 1)`
}

/** The parameters of a query, as the functions of a generation take them. */
export function queryParameters(query: NativeQuery, { add }: Parameters): string {
  const { simple, terms, weights, units, need, wanted, unwanted, counted, stars, stems, seeks } =
    query
  return [
    `${add(simple)}::boolean`,
    `${add(terms)}::text[]`,
    `${add(weights)}::double precision[]`,
    `${add(units)}::int[]`,
    `${add(need)}::int`,
    `${add(wanted)}::text::tsquery`,
    `${add(unwanted)}::text::tsquery`,
    `${add(counted)}::text[]::tsquery[]`,
    `${add(stars)}::text[]::tsquery[]`,
    `${add(stems)}::text[]`,
    `${add(seeks)}::text[]`,
  ].join(', ')
}
