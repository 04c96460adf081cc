/**
 * Lists as one text parameter, split by the server: cheaper to send than arrays, and hidden in a sub-select, so that no plan is made for the number of
 * sessions in this very call (docs/decisions/0002). Neither JSON nor a hash holds a control character.
 */
export const SEPARATOR = '\u001f'

export function joined(texts: readonly string[]): string {
  return texts.join(SEPARATOR)
}

/** Numbers as one text, `x` where there is none. */
export function joinedNumbers(numbers: readonly (number | null)[]): string {
  return numbers.map((number) => number ?? 'x').join()
}

/** Lists side by side as rows. The name `unnest` alone may mean a function of someone's, and with a schema it takes one list only. */
export function rows(...lists: readonly string[]): string {
  return `rows from (${lists.map((list) => `pg_catalog.unnest(${list})`).join(', ')})`
}

/**
 * Rows to look sessions up by, each with the name that is the first parameter. The planner takes them for one, since of a limit it cannot see it guesses a tenth, and has
 * both columns of the primary key to join by. So it takes that index however many rows are given, and also in a plan it made while the table was empty; else such a plan joins
 * all sessions, seconds a statement once there are a million.
 */
export function few(rows: string): string {
  return `(select $1::text as name, l.* from ${rows} limit (select null::bigint))`
}

/** The list of a parameter made by {@link joined}. */
export function texts(parameter: string): string {
  return `(select pg_catalog.string_to_array(${parameter}::text, E'\\x1f'::text))`
}

/** The list of a parameter made by {@link joinedNumbers}. */
export function numbers(parameter: string, type: 'float8' | 'bigint'): string {
  return `(select pg_catalog.string_to_array(${parameter}::text, ','::text, 'x'::text)::${type}[])`
}
