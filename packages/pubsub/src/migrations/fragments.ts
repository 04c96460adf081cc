/** Pieces of SQL that several functions share. */
import { literal } from '@howdah/core'

/**
 * Attributes of every function: it runs as its caller, finds nothing but what it names, and plans once, for a table of any size.
 * Without the last three the planner may settle on reading a whole table while it is small, and keep to that when it is not.
 */
export const ATTRIBUTES =
  'language plpgsql set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_bitmapscan = off set jit = off'

/** Attributes of functions that look nothing up but by a unique key: each setting above costs some ten microseconds a call. */
export const LIGHT = 'language plpgsql set search_path = pg_catalog, pg_temp'

/** Between the JSON texts of one parameter or result; valid JSON holds none. */
export const SEPARATOR = '\x1e'

/** Texts of one parameter as rows `p(payload, n)`. */
export function textRows(parameter: string): string {
  return `unnest(string_to_array(${parameter}, ${literal(SEPARATOR)})) with ordinality as p(payload, n)`
}

/** Names a function's statement for `drop function`: none of ours is overloaded. */
export function dropFunction(statement: string): string[] {
  const name = /^create function (.*?)\(/.exec(statement)?.[1]
  return name === undefined ? [] : [`drop function ${name}`]
}

/** What a function says to psql's `\df+` and to the reference of the SQL API. */
export function comment(s: string, signature: string, text: string): string {
  return /* sql */ `comment on function ${s}.${signature} is ${literal(text)}`
}
