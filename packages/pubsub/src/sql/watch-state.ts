import { defineStatement, type Statement } from '@howdah/core'
import type { WatchDefinition } from '../watch/options.js'
import type { WatchState } from '../watch/watch.js'

/** Tells how a watch stands. */
export const watchState: (
  schema: string,
  watch: WatchDefinition,
) => Statement<{ state: WatchState }> = defineStatement(
  'watch.state',
  (s) => /* sql */ `
    select w.state
    from ${s}.watch_state(to_regclass($1::text), $2::text, $3::text[], $4::text, $5::boolean, $6::boolean) w`,
  ({ table, stream, columns, where, diff, old }) => [table, stream, columns, where, diff, old],
)
