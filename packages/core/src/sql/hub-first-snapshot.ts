import { defineStatement, type Statement } from '../statement.js'

/** Where a poller begins. */
export interface FirstSnapshot {
  /** What is visible in it was sent before. */
  readonly snapshot: string
  /** Whether a transaction older than the poller still runs, and so may have sent without knowing of it. */
  readonly unsettled: boolean
}

/** Takes the snapshot a poller begins from, after the transaction `$1` that entered it. */
export const hubFirstSnapshot: (schema: string, xid: string) => Statement<FirstSnapshot> =
  defineStatement(
    'hub.first-snapshot',
    () => /* sql */ `
      select pg_current_snapshot()::text as snapshot,
        pg_snapshot_xmin(pg_current_snapshot()) <= $1::text::xid8 as unsettled`,
    (xid) => [xid],
  )
