import { defineStatement, type Statement } from '@howdah/core'

/**
 * Draws a transaction id. Every transaction that drew one earlier, and may have looked for near caches before there were any, has a
 * smaller one; the end of the current snapshot would not do, for an id is drawn some time before it shows there.
 */
export const nearFence: (schema: string) => Statement<{ readonly xid: string }> = defineStatement(
  'cache.near-fence',
  () => /* sql */ 'select pg_current_xact_id()::text as xid',
  () => [],
)
