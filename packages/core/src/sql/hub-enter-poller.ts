import { defineStatement, type Statement } from '../statement.js'

/**
 * Enters a poller, once senders keep their messages. Its transaction id is later than that of every sender that did not know.
 * The snapshot stored here only holds rows against pruning; {@link hubFirstSnapshot} takes the one to read from.
 */
export const hubEnterPoller: (schema: string, id: string) => Statement<{ xid: string }> =
  defineStatement(
    'hub.enter-poller',
    (s) => /* sql */ `
      insert into ${s}.hub_poller (id, snapshot) values ($1::text, pg_current_snapshot())
      returning pg_current_xact_id()::text as xid`,
    (id) => [id],
  )
