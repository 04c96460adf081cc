import { defineInFamily, type FamilyStatement } from './in-family.js'

/** Gives live entries another time to live, null for ever, and answers their keys. */
export const touchEntries: FamilyStatement<
  [namespace: string, keys: readonly string[], ttls: readonly (number | null)[], shared: boolean],
  { readonly key: string }
> = defineInFamily(
  'cache.touch',
  (s, suffix) => /* sql */ `
    select key from ${s}.cache_touch${suffix}($1::text, $2::text[], $3::float8[], $4::boolean) as key`,
  (...parameters) => parameters,
)

/** Prolongs sliding entries that were read. */
export const slideEntries: FamilyStatement<[namespace: string, keys: readonly string[]], unknown> =
  defineInFamily(
    'cache.slide',
    (s, suffix) => /* sql */ `select 1 from ${s}.cache_slide${suffix}($1::text, $2::text[])`,
    (namespace, keys) => [namespace, keys],
  )

/** Notes that entries were read, for eviction. */
export const seeEntries: FamilyStatement<[namespace: string, keys: readonly string[]], unknown> =
  defineInFamily(
    'cache.seen',
    (s, suffix) => /* sql */ `select 1 from ${s}.cache_seen${suffix}($1::text, $2::text[])`,
    (namespace, keys) => [namespace, keys],
  )
