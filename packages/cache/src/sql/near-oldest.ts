import { defineStatement, type Statement } from '@howdah/core'

/** Reads the id of the oldest transaction that still runs and has one, prepared ones included. */
export const nearOldest: (schema: string) => Statement<{ readonly xmin: string }> = defineStatement(
  'cache.near-oldest',
  () => /* sql */ 'select pg_snapshot_xmin(pg_current_snapshot())::text as xmin',
  () => [],
)
