import { literal } from '../ident.js'
import { defineStatement, type Statement } from '../statement.js'

/**
 * Renews a poller's claim and says up to where it has read. Changes nothing once the claim has expired: what was sent
 * since may be gone, and the poller has to start anew.
 *
 * The sequence is raised in the same statement as the row, so that senders keep messages for longer than the row says.
 */
export const hubKeepPolling: (
  schema: string,
  id: string,
  snapshot: string,
  leaseMs: number,
  keepMs: number,
) => Statement = defineStatement(
  'hub.keep-polling',
  (s) => /* sql */ `
    update ${s}.hub_poller p
    set seen_at = clock_timestamp(), snapshot = $2::text::pg_snapshot
    from (
      select setval(${literal(`${s}.hub_polled_until`)}::regclass, greatest(last_value,
        (extract(epoch from clock_timestamp()) * 1000)::bigint + $4::bigint)) as until
      from ${s}.hub_polled_until
    ) kept
    where p.id = $1::text and kept.until > 0
      and p.seen_at > clock_timestamp() - $3::double precision * interval '1 ms'`,
  (id, snapshot, leaseMs, keepMs) => [id, snapshot, leaseMs, keepMs],
)
