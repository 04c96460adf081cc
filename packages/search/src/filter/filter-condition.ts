import { ident } from '@howdah/core'
import { circleCondition } from '../geo/geo-sql.js'
import type { ColumnType } from '../sql/describe-table.js'
import { BOUNDS, type Bound, type FilterNode } from './filter-node.js'

const SIGNS: Readonly<Record<Bound, string>> = { gt: '>', gte: '>=', lt: '<', lte: '<=' }

/**
 * A condition on a row, by default the live row `t`. What it compares with comes from `parameter`, which answers the name of the next one. A comparison with a missing value is
 * null, which is as good as false except under `not`.
 */
export function filterCondition(
  node: FilterNode,
  types: Readonly<Record<string, ColumnType>>,
  parameter: (value: unknown) => string,
  nameOf: (column: string) => string = (column) => `t.${ident(column)}`,
): string {
  const condition = (one: FilterNode) => filterCondition(one, types, parameter, nameOf)
  if (node.kind === 'not') return `(${condition(node.node)}) is not true`
  if (node.kind === 'and' || node.kind === 'or') {
    if (node.nodes.length === 0) return String(node.kind === 'and')
    return `(${node.nodes.map(condition).join(` ${node.kind} `)})`
  }
  if (node.kind === 'near') return circleCondition(node.circle, types, parameter)
  const name = nameOf(node.column)
  if (node.kind === 'absent') return `${name} is null`
  const { type, element } = types[node.column] as ColumnType
  if (node.kind === 'any') {
    const values = `${parameter(node.values)}::text[]::${element ?? type}[]`
    return element === null ? `${name} = any (${values})` : `${name} && ${values}`
  }
  const one = element === null ? name : 'one'
  const bounds = BOUNDS.flatMap((bound) => {
    const value = node.bounds[bound]
    if (value === undefined) return []
    return [`${one} ${SIGNS[bound]} ${parameter(value)}::text::${element ?? type}`]
  })
  const within = [`${one} is not null`, ...bounds].join(' and ')
  return element === null
    ? `(${within})`
    : `exists (select from unnest(${name}) one where ${within})`
}
