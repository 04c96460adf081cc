import { defineStatement, type Statement } from '@howdah/core'

/** What the server has counted since its statistics were reset. */
export interface ActivityRow {
  /** Milliseconds since the epoch, by the server's clock. */
  readonly now: number
  /** Share of the notification queue that is full. */
  readonly queueUsage: number
  /** Keys that were looked up in the tables of the cache other than to write them, and how many of them were found. A removal counts as found. */
  readonly lookups: number
  readonly found: number
  readonly sessionsBegun: number
  readonly sessionsSaved: number
  readonly sessionsEnded: number
}

/**
 * Reads the counters of PostgreSQL that stand for what packages do: nothing of ours is written for them. Writing a key looks it up once, so an
 * insert is a look-up that found nothing, and an update one that did.
 */
export const readActivity: (schema: string, name: string) => Statement<ActivityRow> =
  defineStatement(
    'cli.activity',
    () => /* sql */ `
    select (extract(epoch from clock_timestamp()) * 1000)::float8 as now, pg_notification_queue_usage() as "queueUsage",
      coalesce(c.lookups, 0)::float8 as lookups, coalesce(c.found, 0)::float8 as found,
      coalesce(t.n_tup_ins, 0)::float8 as "sessionsBegun", coalesce(t.n_tup_upd, 0)::float8 as "sessionsSaved",
      coalesce(t.n_tup_del, 0)::float8 as "sessionsEnded"
    from (values (1)) as one
    left join lateral (
      select sum(i.idx_scan - e.n_tup_ins - e.n_tup_upd) as lookups, sum(i.idx_tup_fetch - e.n_tup_upd) as found
      from pg_stat_user_indexes i join pg_stat_user_tables e on e.relid = i.relid
      where i.schemaname = $1::text and i.indexrelname in ('cache_entry_pkey', 'cache_entry_logged_pkey')
    ) c on true
    left join pg_stat_user_tables t on t.schemaname = $1::text and t.relname = 'session'`,
    (name) => [name],
  )

/** Hubs of processes, by how they hear of messages. */
export interface HubsRow {
  readonly listening: number
  readonly polling: number
  /** Those whose process has not been heard of for 20 seconds. */
  readonly quiet: number
}

export const countHubs: (schema: string) => Statement<HubsRow> = defineStatement(
  'cli.hubs',
  (s) => /* sql */ `
    select count(*) filter (where p.id is null and not a.quiet)::int as listening, count(p.id)::int as polling,
      count(*) filter (where a.quiet)::int as quiet
    from ${s}.hub_alive() a left join ${s}.hub_poller p on p.id = a.identity`,
  () => [],
)
