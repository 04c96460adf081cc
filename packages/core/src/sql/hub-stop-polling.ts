import { defineStatement, type Statement } from '../statement.js'

/** Takes a poller out, so that nothing is kept for it any longer. */
export const hubStopPolling: (schema: string, id: string) => Statement = defineStatement(
  'hub.stop-polling',
  (s) => /* sql */ `delete from ${s}.hub_poller where id = $1::text`,
  (id) => [id],
)
