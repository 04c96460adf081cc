import { pubSubError } from '../errors.js'

/** A JSON value that fields are compared with. */
export type FilterValue = string | number | boolean | null

/** A condition on one field. All that are given must hold. */
export interface FieldCondition {
  /** Is one of these values. */
  readonly in?: readonly FilterValue[] | undefined
  /** Is greater; numbers compare with numbers and text with text, by UTF-16 code unit. */
  readonly gt?: number | string | undefined
  readonly gte?: number | string | undefined
  readonly lt?: number | string | undefined
  readonly lte?: number | string | undefined
  /** Is there at all, be it null. */
  readonly exists?: boolean | undefined
}

/**
 * Which messages a subscriber wants: conditions on fields of the message, all of which must hold. A dotted path reaches into objects.
 * `and`, `or` and `not` combine filters, so fields of these names cannot be asked for.
 *
 * @example
 * ```ts
 * import type { Filter } from '@howdah/pubsub/websocket'
 *
 * const filter: Filter = { 'order.country': { in: ['CZ', 'SK'] }, or: [{ urgent: true }, { total: { gte: 100 } }] }
 * ```
 */
export type Filter = {
  readonly [path: string]: FilterValue | FieldCondition | Filter | readonly Filter[] | undefined
  readonly and?: readonly Filter[] | undefined
  readonly or?: readonly Filter[] | undefined
  readonly not?: Filter | undefined
}

/** Tells whether a message passes. */
export type Matches = (message: unknown) => boolean

/** Conditions, values of `in` included, in one filter. */
const MAX_CONDITIONS = 100
const MAX_DEPTH = 8
const MAX_PATH = 10
const MAX_TEXT = 1000

type Comparison = (value: unknown) => boolean

const COMPARISONS: Readonly<Record<string, (given: unknown, budget: Budget) => Comparison>> = {
  in: (given, budget) => {
    if (!Array.isArray(given)) throw invalid('"in" takes a list of values.')
    budget.take(given.length)
    const values = new Set(given.map(scalar))
    return (value) => values.has(value as FilterValue)
  },
  gt: ordered((a, b) => a > b),
  gte: ordered((a, b) => a >= b),
  lt: ordered((a, b) => a < b),
  lte: ordered((a, b) => a <= b),
  exists: (given) => {
    if (typeof given !== 'boolean') throw invalid('"exists" is true or false.')
    return (value) => (value !== undefined) === given
  },
}

/**
 * Checks a filter and turns it into a function. Size and depth are bounded, and only own properties are looked at, so it is safe for
 * filters and messages from anyone.
 *
 * @throws {@link HowdahError} PUBSUB_INVALID_FILTER
 */
export function compileFilter(filter: unknown): Matches {
  return compile(filter, new Budget(), 1)
}

/** Passes what all of them pass; `undefined` where there is nothing to check. */
export function bothFilters(
  one: Matches | undefined,
  other: Matches | undefined,
): Matches | undefined {
  if (one === undefined || other === undefined) return one ?? other
  return (message: unknown) => one(message) && other(message)
}

class Budget {
  #left = MAX_CONDITIONS

  take(conditions: number): void {
    this.#left -= conditions
    if (this.#left < 0) throw invalid(`A filter has at most ${MAX_CONDITIONS} conditions.`)
  }
}

function compile(filter: unknown, budget: Budget, depth: number): Matches {
  if (depth > MAX_DEPTH) throw invalid(`A filter is at most ${MAX_DEPTH} levels deep.`)
  const all = Object.entries(asObject(filter)).map(([key, given]) => {
    budget.take(1)
    if (key === 'and' || key === 'or') return combine(key, given, budget, depth)
    if (key === 'not') {
      const inner = compile(given, budget, depth + 1)
      return (message: unknown) => !inner(message)
    }
    return field(key, given, budget)
  })
  return all.length === 1 && all[0] !== undefined
    ? all[0]
    : (message) => all.every((one) => one(message))
}

function combine(key: 'and' | 'or', given: unknown, budget: Budget, depth: number): Matches {
  if (!Array.isArray(given)) throw invalid(`"${key}" takes a list of filters.`)
  const inner = given.map((one) => compile(one, budget, depth + 1))
  return key === 'and'
    ? (message) => inner.every((one) => one(message))
    : (message) => inner.some((one) => one(message))
}

function field(path: string, given: unknown, budget: Budget): Matches {
  const names = path.split('.')
  if (path === '' || path.length > MAX_TEXT || names.length > MAX_PATH) {
    throw invalid(`A path has 1 to ${MAX_PATH} names and at most ${MAX_TEXT} characters.`)
  }
  if (typeof given !== 'object' || given === null) {
    const wanted = scalar(given)
    return (message) => valueAt(message, names) === wanted
  }
  const conditions = Object.entries(asObject(given)).map(([name, value]) => {
    budget.take(1)
    const make = Object.hasOwn(COMPARISONS, name) ? COMPARISONS[name] : undefined
    if (make === undefined) throw invalid(`"${name.slice(0, 40)}" is no condition.`)
    return make(value, budget)
  })
  if (conditions.length === 0) throw invalid('A field needs a value or a condition.')
  return (message) => {
    const value = valueAt(message, names)
    return conditions.every((holds) => holds(value))
  }
}

/** Only own properties: `__proto__` and `constructor` are names like any other. */
function valueAt(message: unknown, names: readonly string[]): unknown {
  let at = message
  for (const name of names) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, name)) return undefined
    at = (at as Record<string, unknown>)[name]
  }
  return at
}

function ordered(compare: (a: number | string, b: number | string) => boolean) {
  return (given: unknown): Comparison => {
    const bound = scalar(given)
    if (typeof bound !== 'number' && typeof bound !== 'string') {
      throw invalid('A range is given by numbers or text.')
    }
    return (value) => typeof value === typeof bound && compare(value as typeof bound, bound)
  }
}

function scalar(value: unknown): FilterValue {
  const kind = typeof value
  if (kind === 'string' && (value as string).length <= MAX_TEXT) return value as string
  if (kind === 'number' || kind === 'boolean' || value === null) return value as FilterValue
  throw invalid(`A value is a number, true, false, null or text of at most ${MAX_TEXT} characters.`)
}

function asObject(value: unknown): object {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value
  throw invalid('A filter is an object of fields and their conditions.')
}

function invalid(message: string) {
  return pubSubError('PUBSUB_INVALID_FILTER', message)
}
