import { defineInFamily, type FamilyStatement } from './in-family.js'

/** What stands with a key that missed. */
export interface LeaseRow {
  readonly key: string
  /** `value`: there is one by now; `lease`: load it; `busy`: someone else does, or a transaction writes it. */
  readonly state: 'value' | 'lease' | 'busy'
  readonly token: string | null
  /** What was committed when the lease was given. */
  readonly snapshot: string
  /** The value, or one whose time is over but not its grace. */
  readonly value: string | null
}

/** Asks for the right to load values. */
export const leaseEntries: FamilyStatement<
  [namespace: string, keys: readonly string[], leaseMs: number],
  LeaseRow
> = defineInFamily(
  'cache.lease',
  (s, suffix) => /* sql */ `
    select key, state, token, snapshot, value
    from ${s}.cache_lease${suffix}($1::text, $2::text[], $3::float8)`,
  (namespace, keys, leaseMs) => [namespace, keys, leaseMs],
)

/** Stores what was loaded under leases that still hold; answers the keys stored. */
export const fillEntries: FamilyStatement<
  [
    namespace: string,
    keys: readonly string[],
    tokens: readonly string[],
    snapshots: readonly string[],
    values: readonly string[],
    ttls: readonly (number | null)[],
    extras: string | null,
  ],
  { readonly key: string }
> = defineInFamily(
  'cache.fill',
  (s, suffix) => /* sql */ `
    select key from ${s}.cache_fill${suffix}(
      $1::text, $2::text[], $3::text[]::bigint[], $4::text[], $5::text[], $6::float8[], $7::text::jsonb) as key`,
  (...columns) => columns,
)

/** Ends leases without a value. */
export const releaseLeases: FamilyStatement<
  [namespace: string, keys: readonly string[], tokens: readonly string[]],
  unknown
> = defineInFamily(
  'cache.release',
  (s, suffix) => /* sql */ `
    select 1 from ${s}.cache_release${suffix}($1::text, $2::text[], $3::text[]::bigint[])`,
  (namespace, keys, tokens) => [namespace, keys, tokens],
)

/** Prolongs leases of loads that last. */
export const renewLeases: FamilyStatement<
  [namespace: string, keys: readonly string[], tokens: readonly string[], leaseMs: number],
  unknown
> = defineInFamily(
  'cache.renew',
  (s, suffix) => /* sql */ `
    select 1 from ${s}.cache_renew${suffix}($1::text, $2::text[], $3::text[]::bigint[], $4::float8)`,
  (namespace, keys, tokens, leaseMs) => [namespace, keys, tokens, leaseMs],
)
