import { defineStatement, type Statement } from '../statement.js'

/** Notifies for the self-test; touches no table, so that it works before any migration. */
export const hubProbe: (schema: string, channel: string, nonce: string) => Statement =
  defineStatement(
    'hub.probe',
    () => /* sql */ 'select pg_notify($1::text, $2::text)::text as sent',
    (channel, nonce) => [channel, nonce],
  )
