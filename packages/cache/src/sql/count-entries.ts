import { defineInFamily, type FamilyStatement } from './in-family.js'

/** A counter after it was added to. */
export interface CountRow {
  readonly key: string
  readonly count: string
}

/** Adds to counters; those that cannot be added to have no row. */
export const countEntries: FamilyStatement<
  [
    namespace: string,
    keys: readonly string[],
    deltas: readonly number[],
    ttls: readonly (number | null)[],
    originals: readonly (string | null)[],
    shared: boolean,
  ],
  CountRow
> = defineInFamily(
  'cache.increment',
  (s, suffix) => /* sql */ `
    select key, count from ${s}.cache_count${suffix}($1::text, $2::text[], $3::text[]::bigint[], $4::float8[], $5::text[],
      $6::boolean)`,
  (namespace, keys, deltas, ttls, originals, shared) => [
    namespace,
    keys,
    deltas.map(String),
    ttls,
    originals,
    shared,
  ],
)
