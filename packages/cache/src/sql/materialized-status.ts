import { defineStatement, literal, type Statement } from '@howdah/core'
import { holdsLock } from './materialized-lock.js'

/** How a query stands; times in milliseconds, since the epoch where they are not durations. */
export interface StatusRow {
  readonly refreshed: number | null
  readonly age: number | null
  readonly duration: number | null
  readonly busy: boolean
  readonly dirty: boolean
  readonly rows: number | null
  readonly code: string | null
  readonly error: string | null
  readonly failed: number | null
  readonly failures: number
}

/** Reads how a query stands; no row where it was never made. */
export const readStatus: (schema: string, name: string) => Statement<StatusRow> = defineStatement(
  'cache.materialized-status',
  (s) => /* sql */ `
    select extract(epoch from q.refreshed_at)::float8 * 1000::float8 as refreshed,
      extract(epoch from clock_timestamp() - q.refreshed_at)::float8 * 1000::float8 as age,
      q.duration_ms as duration,
      exists (select from pg_catalog.pg_locks l where ${holdsLock(s)}) as busy,
      exists (select from ${s}.cache_materialized_mark m where m.query = q.id and m.xid <> '0') as dirty,
      (select nullif(c.reltuples, -1)::float8 from pg_catalog.pg_class c
        where c.relnamespace = ${literal(s)}::regnamespace and c.relname = q.view) as rows,
      q.code, q.error, extract(epoch from q.failed_at)::float8 * 1000::float8 as failed, q.failures
    from ${s}.cache_materialized q
    where q.name = $1::text`,
  (name) => [name],
)
