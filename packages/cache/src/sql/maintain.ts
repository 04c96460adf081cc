import { defineStatement, type Statement } from '@howdah/core'
import { defineInFamily, type FamilyStatement } from './in-family.js'

/** Removes a batch of what nobody can see any more. */
export const sweepEntries: (
  schema: string,
  batch: number,
) => Statement<{ readonly swept: number }> = defineStatement(
  'cache.sweep',
  (s) => /* sql */ `select ${s}.cache_sweep($1::int) as swept`,
  (batch) => [batch],
)

/** How much a namespace holds. */
export interface UsageRow {
  readonly entries: number
  readonly bytes: number
  /** The part of the table that was looked at; below 1 the figures are estimates. */
  readonly share: number
}

/** Counts or estimates what a namespace holds. */
export const readUsage: FamilyStatement<[namespace: string], UsageRow> = defineInFamily(
  'cache.usage',
  (s, suffix) => /* sql */ `
    select entries, bytes, share from ${s}.cache_usage${suffix}($1::text)`,
  (namespace) => [namespace],
)

/** What one step of eviction did. */
export interface EvictedRow {
  readonly evicted: number
  readonly entries: number
  readonly bytes: number
}

/** Brings a namespace nearer to its limits; answers no row while another process does. */
export const evictEntries: FamilyStatement<
  [namespace: string, maxEntries: number | null, maxBytes: number | null],
  EvictedRow
> = defineInFamily(
  'cache.evict',
  (s, suffix) => /* sql */ `
    select evicted, entries, bytes from ${s}.cache_evict${suffix}($1::text, $2::float8, $3::float8)`,
  (namespace, maxEntries, maxBytes) => [namespace, maxEntries, maxBytes],
)
