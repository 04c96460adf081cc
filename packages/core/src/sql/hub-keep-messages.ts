import { literal } from '../ident.js'
import { defineStatement, type Statement } from '../statement.js'

/**
 * Makes senders keep their messages for `$1` milliseconds from now on. Raises the sequence and never lowers it, so that one
 * poller does not shorten another's.
 */
export const hubKeepMessages: (schema: string, keepMs: number) => Statement = defineStatement(
  'hub.keep-messages',
  (s) => /* sql */ `
    select setval(${literal(`${s}.hub_polled_until`)}::regclass, greatest(last_value,
      (extract(epoch from clock_timestamp()) * 1000)::bigint + $1::bigint))::text
    from ${s}.hub_polled_until`,
  (keepMs) => [keepMs],
)
