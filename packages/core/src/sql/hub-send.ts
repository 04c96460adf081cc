import { defineStatement, type Statement } from '../statement.js'

/** Sends notifications in one transaction, and keeps them for pollers if there are any. */
export const hubSend: (
  schema: string,
  channel: string,
  notifications: readonly string[],
) => Statement = defineStatement(
  'hub.send',
  (s) =>
    /* sql */ `select ${s}.hub_send($1::text, string_to_array($2::text, e'\\x1e'))::text as sent`,
  // No JSON holds this character as it is. An array would be escaped quote by quote on the way, and JSON is full of them.
  (channel, notifications) => [channel, notifications.join('\x1e')],
)
