import { defineStatement, type Statement } from '../statement.js'

/**
 * Deletes pollers that were not seen for `$1` milliseconds and messages that every other has read. Rows that another
 * poller is deleting at this moment are left to it.
 */
export const hubPrune: (schema: string, leaseMs: number) => Statement = defineStatement(
  'hub.prune',
  (s) => /* sql */ `
    with live as (
      select id, snapshot from ${s}.hub_poller
      where seen_at > clock_timestamp() - $1::double precision * interval '1 ms'
    ), gone as (
      delete from ${s}.hub_poller where id in (
        select id from ${s}.hub_poller p
        where not exists (select from live where live.id = p.id)
        for update skip locked
      )
    )
    delete from ${s}.hub_message where (xid, id) in (
      select xid, id from ${s}.hub_message m
      where not exists (select from live where not pg_visible_in_snapshot(m.xid, live.snapshot))
      order by xid, id limit 10000
      for update skip locked
    )`,
  (leaseMs) => [leaseMs],
)
