import { searchError } from '../errors.js'
import { type Circle, resolveCircle } from '../geo/near.js'
import type { Place } from '../geo/places.js'

/** A condition, as every part of the search takes it. Values are text. */
export type FilterNode =
  | { readonly kind: 'and'; readonly nodes: readonly FilterNode[] }
  | { readonly kind: 'or'; readonly nodes: readonly FilterNode[] }
  | { readonly kind: 'not'; readonly node: FilterNode }
  | { readonly kind: 'any'; readonly column: string; readonly values: readonly string[] }
  | { readonly kind: 'absent'; readonly column: string }
  | { readonly kind: 'range'; readonly column: string; readonly bounds: Bounds }
  | { readonly kind: 'near'; readonly circle: Circle }

/** The bounds of a range by their names: `gt`, `gte`, `lt`, `lte`. */
export type Bounds = Readonly<Partial<Record<Bound, string>>>
export type Bound = (typeof BOUNDS)[number]

/** One of the conditions that must all hold, with its column where it is one on a single column. */
export interface FilterEntry {
  readonly column: string | undefined
  readonly node: FilterNode
}

/** Names that stand for connectives, and so for no column. */
export const CONNECTIVES: readonly string[] = ['$and', '$or', '$not']
export const BOUNDS = ['gt', 'gte', 'lt', 'lte'] as const
const CONDITIONS: readonly string[] = ['not', 'exists', ...BOUNDS]

const MAX_DEPTH = 16
const MAX_CONDITIONS = 256
const MAX_VALUES = 10_000

/** Reads filters, and counts what they hold. */
export class FilterReader {
  readonly #columns: readonly string[]
  readonly #places: readonly Place[]
  #conditions = 0
  #values = 0

  constructor(columns: readonly string[], places: readonly Place[]) {
    this.#columns = columns
    this.#places = places
  }

  /** @throws {@link HowdahError} SEARCH_INVALID_QUERY */
  entries(filter: unknown, depth = 1): FilterEntry[] {
    if (!isObject(filter)) throw invalid('filters must be an object of columns and values.')
    if (depth > MAX_DEPTH) throw invalid(`filters may be nested ${MAX_DEPTH} deep.`)
    return Object.entries(filter).flatMap(([name, value]): FilterEntry[] => {
      if (value === undefined) return []
      if (name === '$not') {
        return [{ column: undefined, node: { kind: 'not', node: this.#all(value, depth + 1) } }]
      }
      if (CONNECTIVES.includes(name)) {
        if (!Array.isArray(value)) throw invalid(`${name} must be an array of filters.`)
        const nodes = value.map((one) => this.#all(one, depth + 1))
        return [{ column: undefined, node: { kind: name === '$and' ? 'and' : 'or', nodes } }]
      }
      const place = this.#places.find((one) => one.name === name)
      if (place !== undefined) {
        this.#count()
        return [{ column: undefined, node: { kind: 'near', circle: resolveCircle(place, value) } }]
      }
      if (!this.#columns.includes(name)) {
        throw invalid(
          `filters names '${name.slice(0, 63)}', which is not among the filters of this index: ${this.#columns.join(', ') || 'it has none'}.`,
        )
      }
      return [{ column: name, node: this.#column(name, value) }]
    })
  }

  /** One value that is not null, as text. @throws {@link HowdahError} SEARCH_INVALID_QUERY */
  bound(value: unknown, column: string): string {
    const text = this.#text(value, column)
    if (text === null) throw invalid(`A bound of '${column}' must not be null.`)
    return text
  }

  #all(filter: unknown, depth: number): FilterNode {
    return allOf(this.entries(filter, depth))
  }

  #count(): void {
    if (++this.#conditions > MAX_CONDITIONS) {
      throw invalid(`filters may have at most ${MAX_CONDITIONS} conditions.`)
    }
  }

  #column(column: string, value: unknown): FilterNode {
    this.#count()
    if (!isObject(value)) return this.#oneOf(column, value)
    const nodes: FilterNode[] = []
    const bounds: Partial<Record<Bound, string>> = {}
    for (const [name, one] of Object.entries(value)) {
      if (!CONDITIONS.includes(name)) {
        throw invalid(
          `The filter on '${column}' has '${name.slice(0, 63)}', which is none of ${CONDITIONS.join(', ')}.`,
        )
      }
      if (one === undefined) continue
      if (name === 'not') nodes.push({ kind: 'not', node: this.#oneOf(column, one) })
      else if (name !== 'exists') bounds[name as Bound] = this.bound(one, column)
      else if (typeof one !== 'boolean') throw invalid('exists must be true or false.')
      else nodes.push(one ? { kind: 'not', node: absent(column) } : absent(column))
    }
    if (Object.keys(bounds).length > 0) nodes.push({ kind: 'range', column, bounds })
    const [only] = nodes
    if (only === undefined) throw invalid(`The filter on '${column}' says nothing.`)
    return nodes.length === 1 ? only : { kind: 'and', nodes }
  }

  #oneOf(column: string, value: unknown): FilterNode {
    const given = (Array.isArray(value) ? value : [value]).map((one) => this.#text(one, column))
    const values = given.filter((one) => one !== null)
    const any: FilterNode = { kind: 'any', column, values: [...new Set(values)] }
    if (values.length === given.length) return any
    return values.length === 0 ? absent(column) : { kind: 'or', nodes: [any, absent(column)] }
  }

  #text(value: unknown, column: string): string | null {
    if (++this.#values > MAX_VALUES) throw invalid(`filters may have at most ${MAX_VALUES} values.`)
    if (value === null) return null
    if (typeof value === 'string' && !value.includes('\0')) {
      return value.replace(/\p{Surrogate}/gu, '\ufffd')
    }
    if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean') {
      return String(value)
    }
    if (value instanceof Date && !Number.isNaN(value.getTime())) return value.toISOString()
    throw invalid(
      `The filter on '${column}' must be a string without NUL, a number, boolean, Date or null, an array of them, or a condition.`,
    )
  }
}

/** The circles that conditions name. */
export function circlesOf(nodes: readonly FilterNode[]): Circle[] {
  return nodes.flatMap((node) => {
    if (node.kind === 'near') return [node.circle]
    if (node.kind === 'not') return circlesOf([node.node])
    return node.kind === 'and' || node.kind === 'or' ? circlesOf(node.nodes) : []
  })
}

/** The condition that all of some hold. */
export function allOf(entries: readonly FilterEntry[]): FilterNode {
  const [only] = entries
  if (only !== undefined && entries.length === 1) return only.node
  return { kind: 'and', nodes: entries.map(({ node }) => node) }
}

function absent(column: string): FilterNode {
  return { kind: 'absent', column }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return (
    typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date)
  )
}

function invalid(message: string) {
  return searchError('SEARCH_INVALID_QUERY', message)
}
