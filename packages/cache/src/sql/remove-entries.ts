import { defineInFamily, type FamilyStatement } from './in-family.js'

/** Removes several entries and answers the keys that were live; `mark` where it is part of a transaction. */
export const removeEntries: FamilyStatement<
  [namespace: string, keys: readonly string[], mark: boolean, shared: boolean],
  { readonly key: string }
> = defineInFamily(
  'cache.delete',
  (s, suffix) => /* sql */ `
    select key from ${s}.cache_remove${suffix}($1::text, $2::text[], $3::boolean, $4::boolean) as key`,
  (...parameters) => parameters,
)
