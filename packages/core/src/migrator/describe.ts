import { literal } from '../ident.js'

/**
 * Statements for a migration that say what a view and its columns are, for psql's `\d+` and for the page of the SQL API.
 *
 * @param view - qualified and quoted
 *
 * @example
 * ```ts
 * import { describeView } from '@howdah/core'
 *
 * describeView('"howdah".example', 'One row an example.', { name: 'Its name.' })
 * ```
 */
export function describeView(
  view: string,
  about: string,
  columns: Readonly<Record<string, string>>,
): string[] {
  return [
    `comment on view ${view} is ${literal(about)}`,
    ...Object.entries(columns).map(
      ([name, text]) => `comment on column ${view}.${name} is ${literal(text)}`,
    ),
  ]
}

/**
 * Statements for a migration that say what functions are for, by their signature such as `cache_get(text, text)`. A function without a
 * comment is for the packages alone.
 *
 * @param schema - quoted
 *
 * @example
 * ```ts
 * import { describeFunctions } from '@howdah/core'
 *
 * describeFunctions('"howdah"', { 'example(integer)': 'Answers an example.' })
 * ```
 */
export function describeFunctions(
  schema: string,
  comments: Readonly<Record<string, string>>,
): string[] {
  return Object.entries(comments).map(
    ([signature, text]) => `comment on function ${schema}.${signature} is ${literal(text)}`,
  )
}
