import { createHash } from 'node:crypto'

/**
 * One SQL statement, ready to run. `name` prepares it once per connection; it is derived from the text, so two
 * different texts never share a name.
 *
 * The rules every statement of Howdah keeps, because it may run on a transaction of any library:
 * - each parameter is cast where it is used (`$1::text[]`), for not every driver sends types, and some send all as `text`;
 * - parameters are strings, numbers, booleans, `Buffer`s, arrays of those, or `null`: 64-bit integers as text, JSON as text that
 *   is cast twice (`$1::text::jsonb`), since a driver that knows the parameter is JSON would encode it once more;
 * - columns come back only as `text`, `int`, `double precision`, `boolean`, `json(b)` or `bytea`: 64-bit integers as text, times as
 *   milliseconds since the epoch, arrays as `to_jsonb(...)`, since drivers disagree on how they parse the rest;
 * - columns are named in one lowercase word or in camel case, for a driver may be set to turn `snake_case` into it;
 * - functions that return `void` stand in `from` (`select 1 from pg_notify(...)`), since Prisma cannot read the type.
 */
export interface Statement<Row = unknown> {
  readonly name: string
  readonly text: string
  readonly values: readonly unknown[]
  /** Carries the row's type; never present at run time. */
  readonly row?: Row
}

/**
 * Makes the function for one SQL statement. The text is rendered once per schema and reused.
 *
 * @param label - a short name that shows in `pg_stat_activity` tools and traces, such as `'cache.get'`
 * @param text - renders the SQL; it is given the schema's name already quoted
 * @param values - orders the arguments into `$1`, `$2`, ...
 *
 * @example
 * ```ts
 * import { defineStatement } from '@howdah/core'
 *
 * const countRows = defineStatement<[minimum: number], { n: number }>(
 *   'example.count',
 *   (s) => `select count(*)::int as n from ${s}.entry where weight >= $1::int`,
 *   (minimum) => [minimum],
 * )
 * countRows('"howdah"', 3).values // [3]
 * ```
 */
export function defineStatement<Args extends readonly unknown[], Row = unknown>(
  label: string,
  text: (schema: string) => string,
  values: (...args: Args) => readonly unknown[],
): (schema: string, ...args: Args) => Statement<Row> {
  const rendered = new Map<string, { readonly name: string; readonly text: string }>()
  return (schema, ...args) => {
    let entry = rendered.get(schema)
    if (entry === undefined) {
      const sql = text(schema)
      entry = { name: statementName(label, sql), text: sql }
      rendered.set(schema, entry)
    }
    return { name: entry.name, text: entry.text, values: values(...args) }
  }
}

/**
 * Names a prepared statement after its text. Two schemas, or two versions of a package on one server connection behind a
 * pooler, then never answer for each other. Names stay under the 63 bytes PostgreSQL keeps.
 */
export function statementName(label: string, text: string): string {
  const digest = createHash('sha256').update(text).digest('base64url').slice(0, 16)
  return `howdah.${label.slice(0, 38)}.${digest}`
}
