/** Something a query names: a word, the beginning of one, or words next to each other. */
export interface Clause {
  readonly kind: 'word' | 'prefix' | 'phrase'
  /** As it was typed, without the signs around it. */
  readonly text: string
  /** The field it must stand in, if any. */
  readonly field: string | undefined
  /** Where `text` stands in what was read of the query. */
  readonly at: number
}

/** A query as it was typed, in its parts. */
export interface QueryTree {
  /** What was read of the query: without NUL and lone surrogates, and not beyond the limit. */
  readonly text: string
  /** What stands between the `OR`s. */
  readonly branches: readonly (readonly Clause[])[]
  readonly excluded: readonly Clause[]
}
