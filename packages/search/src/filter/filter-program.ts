import type { Attribute } from '../native/attributes.js'
import { hasRanges } from '../native/mask.js'
import type { FilterNode } from './filter-node.js'

/** A condition as the functions of a generation take it, as JSON; see `maskFunction`. */
export type FilterProgram =
  | { readonly and: readonly FilterProgram[] }
  | { readonly or: readonly FilterProgram[] }
  | { readonly not: FilterProgram }
  | { readonly words: readonly string[] }
  | { readonly column: number; readonly any: readonly string[] }
  | { readonly column: number; readonly range: Readonly<Record<string, string>> }

/** What is said by the words of the documents; undefined where some of it is not, so that the rows themselves must be looked at. */
export function filterProgram(
  node: FilterNode,
  attributes: readonly Attribute[],
): FilterProgram | undefined {
  if (node.kind === 'not') {
    const program = filterProgram(node.node, attributes)
    return program && { not: program }
  }
  if (node.kind === 'and' || node.kind === 'or') {
    const programs = node.nodes.map((one) => filterProgram(one, attributes))
    const known = programs.filter((one) => one !== undefined)
    if (known.length < programs.length) return undefined
    // No row has no word, and all have not.
    if (known.length === 0) return node.kind === 'or' ? NONE : { not: NONE }
    return node.kind === 'and' ? { and: known } : { or: known }
  }
  if (node.kind === 'near') return undefined
  const attribute = attributes.find(({ column }) => column === node.column)
  if (attribute === undefined) return undefined
  const { number: column } = attribute
  if (node.kind === 'any') return { column, any: node.values }
  if (node.kind === 'absent') return { words: [`\u0001${column}`] }
  return hasRanges(attribute) ? { column, range: node.bounds } : undefined
}

const NONE: FilterProgram = { words: [] }
