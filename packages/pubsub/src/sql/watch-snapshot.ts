import { defineStatement, type Statement } from '@howdah/core'
import type { WatchDefinition } from '../watch/options.js'
import type { WatchState } from '../watch/watch.js'

/** What `bootstrap()` runs. */
export interface SnapshotRow {
  readonly state: WatchState
  /** The table's name, quoted; `null` when it is not watched. */
  readonly named: string | null
  /** Query for the rows that are told: `key`, and `payload` as JSON text. */
  readonly query: string | null
}

/** Finds the table of a watch by its triggers, for it may have another name by now. */
export const watchSnapshot: (schema: string, watch: WatchDefinition) => Statement<SnapshotRow> =
  defineStatement(
    'watch.snapshot',
    (s) => /* sql */ `
      select w.state, q.named, q.query
      from ${s}.watch_state(to_regclass($1::text), $2::text, $3::text[], $4::text, $5::boolean, $6::boolean) w
      left join lateral ${s}.watch_snapshot(w.watched, $3::text[], $4::text) q on w.state <> 'absent'`,
    ({ table, stream, columns, where, diff, old }) => [table, stream, columns, where, diff, old],
  )
