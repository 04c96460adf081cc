import type { NearFilter } from '../geo/near.js'

/** A value that a column can be compared with; dates go as ISO strings. */
export type FilterValue = string | number | bigint | boolean | Date | null

/** What must hold for a column: all of it. A row without a value is in no range. An array has each of its elements as a value. */
export interface FilterCondition {
  /** Has not this value, or none of these; `null` stands for having no value. */
  readonly not?: FilterValue | readonly FilterValue[] | undefined
  readonly gt?: FilterValue | undefined
  readonly gte?: FilterValue | undefined
  readonly lt?: FilterValue | undefined
  readonly lte?: FilterValue | undefined
  /** Whether there is a value. */
  readonly exists?: boolean | undefined
}

/**
 * Which rows may be found: those for which every entry holds. A column's entry is a value that it must have, several of which it must have one, or a
 * condition; `null` is having no value. An array column must share an element with them. That of a place is how near to a point a row must be.
 *
 * A condition holds or it does not, also where there is no value: `$not` of it holds then, unlike in SQL.
 *
 * @example
 * ```ts
 * import type { Filter } from '@howdah/search'
 *
 * const filter: Filter = {
 *   status: 'open',
 *   price: { gte: 10, lt: 100 },
 *   $or: [{ category: ['audio', 'video'] }, { tags: { not: 'used' } }],
 * }
 * ```
 */
export interface Filter {
  readonly $and?: readonly Filter[] | undefined
  readonly $or?: readonly Filter[] | undefined
  readonly $not?: Filter | undefined
  readonly [column: string]:
    | FilterValue
    | readonly FilterValue[]
    | FilterCondition
    | NearFilter
    | Filter
    | readonly Filter[]
    | undefined
}
