import { defineStatement, type Statement } from '../statement.js'

/** What one read of a poller finds. */
export interface PollResult {
  /** `false` when the poller's row is gone or has expired, so that messages may have been lost. */
  readonly present: boolean
  /** The snapshot this read ends at. */
  readonly snapshot: string
  /** Whether every transaction older than the poller has ended. */
  readonly settled: boolean
  /** Notifications in the order they are to be received, one array for each send. */
  readonly messages: readonly (readonly string[])[]
  /** Id of the last message of this page, when there are more before `snapshot`. */
  readonly more: string | null
}

/** Where a read starts and how far it goes. */
export interface PollCursor {
  readonly id: string
  /** Messages visible in this snapshot have been read. */
  readonly after: string
  /** Snapshot that the unfinished read ends at, while a large one is read in pages. */
  readonly until: string | null
  /** Last message of the page before. */
  readonly page: string
  /** Id of the transaction that entered the poller. */
  readonly entered: string
  /** A poller not seen for this long, in milliseconds, has lost its claim on messages. */
  readonly leaseMs: number
  /** Bytes of messages a page holds; the first message comes whatever its size. */
  readonly pageBytes: number
}

/**
 * Reads the messages that became visible since the poller's last snapshot: exact in whatever order their transactions commit,
 * where reading after the highest id seen would lose those that commit late.
 *
 * Ids are drawn when a message is sent, so if one commit came before another send, its messages come first.
 *
 * The comparison with `pg_snapshot_xmin` adds nothing to the result; it is what the index answers.
 */
export const hubPoll: (schema: string, cursor: PollCursor) => Statement<PollResult> =
  defineStatement(
    'hub.poll',
    (s) => /* sql */ `
      with bounds as (
        select coalesce($3::text::pg_snapshot, pg_current_snapshot()) as until
      ), fresh as (
        select m.id, m.payloads, sum(m.bytes) over (order by m.id) - m.bytes as before
        from ${s}.hub_message m, bounds
        where m.xid >= pg_snapshot_xmin($2::text::pg_snapshot)
          and not pg_visible_in_snapshot(m.xid, $2::text::pg_snapshot)
          and pg_visible_in_snapshot(m.xid, bounds.until)
          and m.id > $4::text::bigint
      ), page as (
        select id, payloads from fresh where before < $7::bigint
      )
      select
        exists (
          select from ${s}.hub_poller p
          where p.id = $1::text and p.seen_at > clock_timestamp() - $6::double precision * interval '1 ms'
        ) as present,
        (select until::text from bounds) as snapshot,
        pg_snapshot_xmin(pg_current_snapshot()) > $5::text::xid8 as settled,
        coalesce((select json_agg(to_json(payloads) order by id) from page), '[]'::json) as messages,
        case when (select count(*) from fresh) > (select count(*) from page)
          then (select max(id)::text from page) end as more`,
    ({ id, after, until, page, entered, leaseMs, pageBytes }) => [
      id,
      after,
      until,
      page,
      entered,
      leaseMs,
      pageBytes,
    ],
  )
