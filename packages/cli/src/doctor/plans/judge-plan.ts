/** A node of what `explain (format json)` answers. */
export interface PlanNode {
  readonly 'Node Type': string
  readonly 'Relation Name'?: string
  readonly 'Plan Rows'?: number
  readonly Plans?: readonly PlanNode[]
}

/** Says what a plan does to the tables that it should not, or nothing: reading one from end to end, or sorting more rows than `most`. */
export function judgePlan(
  node: PlanNode,
  tables: readonly string[],
  most: number,
): string | undefined {
  const type = node['Node Type']
  const table = node['Relation Name']
  if (type.includes('Seq Scan') && table !== undefined && tables.includes(table)) {
    return `scans ${table} from end to end`
  }
  const children = node.Plans ?? []
  if (type === 'Sort') {
    const rows = children[0]?.['Plan Rows'] ?? 0
    if (rows > most && readsAny(node, tables)) {
      return `sorts an estimated ${rows} rows`
    }
  }
  for (const child of children) {
    const found = judgePlan(child, tables, most)
    if (found !== undefined) return found
  }
  return undefined
}

function readsAny(node: PlanNode, tables: readonly string[]): boolean {
  const table = node['Relation Name']
  if (table !== undefined && tables.includes(table)) return true
  return (node.Plans ?? []).some((child) => readsAny(child, tables))
}
