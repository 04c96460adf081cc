import { defineStatement, type Statement } from '../statement.js'

/** Sends the notifications of one message in one transaction, and keeps them for pollers if there are any. */
export const hubSend: (
  schema: string,
  channel: string,
  notifications: readonly string[],
) => Statement = defineStatement(
  'hub.send',
  (s) => /* sql */ `select ${s}.hub_send($1::text, $2::text[])::text as sent`,
  (channel, notifications) => [channel, notifications],
)
