import { defineStatement, type Statement } from '@howdah/core'

/** A schedule of some queue. */
export interface ScheduleRow {
  readonly queue: string
  readonly name: string
  readonly cron: string | null
  readonly everyMs: number | null
  readonly timezone: string
  readonly driver: string
  readonly paused: boolean
  readonly nextAt: number | null
  readonly lastAt: number | null
  readonly lastOutcome: string | null
}

/** Lists the schedules of all queues, or of one, with how the last run of each ended. */
export const listSchedules: (
  schema: string,
  queue: string | null,
  name: string | null,
) => Statement<ScheduleRow> = defineStatement(
  'cli.schedules',
  (s) => /* sql */ `
    select q.name as queue, c.name, c.cron, c.every_ms as "everyMs", c.timezone, c.driver, c.paused,
      case when not c.paused then (extract(epoch from c.next_at) * 1000)::float8 end as "nextAt",
      (extract(epoch from l.slot) * 1000)::float8 as "lastAt",
      case when l.slot is null then null else coalesce(l.outcome, case when l.job is null then 'waiting' else 'added' end) end as "lastOutcome"
    from ${s}.queue_schedule c join ${s}.queue q on q.id = c.queue
    left join lateral (select r.slot, r.outcome, r.job from ${s}.queue_run r where r.schedule = c.id order by r.slot desc limit 1) l on true
    where ($1::text is null or q.name = $1::text) and ($2::text is null or c.name = $2::text) order by q.name, c.name`,
  (queue, name) => [queue, name],
)
