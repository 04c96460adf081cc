import { defineInFamily, type FamilyStatement } from './in-family.js'
import { joined, joinedTimes, texts, times } from './lists.js'

/** Several entries as columns; `ttls` has one for each or one for all, and `shared` tells that others share the statement. */
export type EntryColumns = readonly [
  namespace: string,
  keys: readonly string[],
  values: readonly string[],
  ttls: readonly (number | null)[],
  extras: string | null,
  shared: boolean,
]

/** An entry that was written. */
export interface WrittenRow {
  readonly key: string
  readonly version: string
}

const put = (name: string) => (s: string, suffix: string) =>
  /* sql */ `
    select * from ${s}.${name}${suffix}($1::text, ${texts('$2')}, ${texts('$3')}, ${times('$4')}, $5::text::jsonb, $6::boolean)`

/** Overwrites entries, each key once. */
export const putEntries: FamilyStatement<EntryColumns, never> = defineInFamily(
  'cache.set',
  (s, suffix) => /* sql */ `
    select 1 from ${s}.cache_put${suffix}($1::text, ${texts('$2')}, ${texts('$3')}, ${times('$4')}, $5::text::jsonb, $6::boolean)`,
  (...columns) => parameters(columns),
)

/** Writes the entries whose keys have no live one. */
export const addEntries: FamilyStatement<EntryColumns, WrittenRow> = defineInFamily(
  'cache.add',
  put('cache_add'),
  (...columns) => parameters(columns),
)

/** Writes the entries whose keys have a live one. */
export const replaceEntries: FamilyStatement<EntryColumns, WrittenRow> = defineInFamily(
  'cache.replace',
  put('cache_replace'),
  (...columns) => parameters(columns),
)

/** Writes the entries that still have the version expected of them. */
export const swapEntries: FamilyStatement<
  [...EntryColumns, expected: readonly string[]],
  WrittenRow
> = defineInFamily(
  'cache.swap',
  (s, suffix) => /* sql */ `
    select * from ${s}.cache_swap${suffix}($1::text, ${texts('$2')}, ${texts('$3')}, ${times('$4')}, $7::text[]::bigint[],
      $5::text::jsonb, $6::boolean)`,
  (...columns) => parameters(columns),
)

function parameters([namespace, keys, values, ttls, ...others]: readonly [
  ...EntryColumns,
  ...rest: unknown[],
]): readonly unknown[] {
  return [namespace, joined(keys), joined(values), joinedTimes(ttls), ...others]
}
