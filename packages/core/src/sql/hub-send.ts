import { literal } from '../ident.js'
import { defineStatement, type Statement } from '../statement.js'

/**
 * Keeps notifications for pollers, if there are any. The transaction has an id before the sequence is read, for `case` keeps the order of its
 * branches: who finds no poller then has an id that the next poller's first snapshot shows as running, so the poller can wait for it to end and
 * report a gap.
 */
function kept(s: string, notifications: string): string {
  return /* sql */ `case
    when pg_current_xact_id() is null then ''
    when pg_sequence_last_value(${literal(`${s}.hub_polled_until`)}::regclass) > extract(epoch from clock_timestamp()) * 1000
      then ${s}.hub_keep(${notifications})::text
  end`
}

/** With nothing to take apart: what a hub sends that is not busy. */
const sendOne: (schema: string, channel: string, notification: string) => Statement =
  defineStatement(
    'hub.send-one',
    (s) =>
      /* sql */ `select ${kept(s, 'array[$2::text]')} as kept, pg_notify($1::text, $2::text)::text as sent`,
    (channel, notification) => [channel, notification],
  )

/**
 * The notifications are one text: an array would be escaped quote by quote on the way, and JSON is full of them. No JSON holds the character between
 * them as it is.
 */
const sendMany: (schema: string, channel: string, notifications: readonly string[]) => Statement =
  defineStatement(
    'hub.send',
    (s) => /* sql */ `
      select ${kept(s, "string_to_array($2::text, e'\\x1e')")} as kept,
        (select count(pg_notify($1::text, n)::text) from unnest(string_to_array($2::text, e'\\x1e')) as n)::int as sent`,
    (channel, notifications) => [channel, notifications.join('\x1e')],
  )

/** Sends notifications in one transaction, in their order, and keeps them for pollers if there are any. */
export function hubSend(
  schema: string,
  channel: string,
  notifications: readonly string[],
): Statement {
  const [first = '', ...others] = notifications
  return others.length === 0
    ? sendOne(schema, channel, first)
    : sendMany(schema, channel, notifications)
}
