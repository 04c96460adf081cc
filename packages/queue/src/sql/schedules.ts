import { defineStatement, type Statement } from '@howdah/core'

const ms = (expression: string) => `(extract(epoch from ${expression}) * 1000)::float8`

/** A schedule as it is kept; times in milliseconds since the epoch. */
export interface ScheduleRow {
  readonly id: string
  readonly name: string
  readonly cron: string | null
  readonly everyMs: number | null
  readonly timezone: string
  readonly anchor: number
  readonly catchUp: 'skip' | 'last' | 'all'
  readonly overlap: 'allow' | 'skip' | 'queue'
  readonly driver: 'howdah' | 'pg_cron'
  readonly payload: string
  readonly spec: string
  readonly keepMs: number
  readonly paused: boolean
  readonly nextAt: number | null
}

const COLUMNS = `c.id::text, c.name, c.cron, c.every_ms as "everyMs", c.timezone, ${ms('c.anchor')} as anchor, c.catch_up as "catchUp",
  c.overlap, c.driver, c.payload::text, c.spec::text, c.keep_ms as "keepMs", c.paused, ${ms('c.next_at')} as "nextAt"`

/** What {@link setSchedule} stores. */
export interface NewSchedule extends Omit<ScheduleRow, 'id' | 'paused'> {
  readonly queue: number
}

export const setSchedule: (schema: string, of: NewSchedule) => Statement<{ readonly id: string }> =
  defineStatement(
    'queue.schedule-set',
    (
      s,
    ) => /* sql */ `select ${s}.queue_schedule_set($1::int, $2::text, $3::text, $4::float8, $5::text, $6::text, $7::text, $8::text,
      $9::text::json, $10::text::jsonb, $11::float8, $12::float8, $13::float8)::text as id`,
    (of) => [
      of.queue,
      of.name,
      of.cron,
      of.everyMs,
      of.timezone,
      of.catchUp,
      of.overlap,
      of.driver,
      of.payload,
      of.spec,
      of.keepMs,
      of.anchor,
      of.nextAt,
    ],
  )

/** The database's clock, in milliseconds. */
export const readClock: (schema: string) => Statement<{ readonly now: number }> = defineStatement(
  'queue.clock',
  () => `select ${ms('clock_timestamp()')} as now`,
  () => [],
)

/** Schedules that are due at `now`, or by the database's clock; soonest first. */
export const dueSchedules: (
  schema: string,
  queue: number,
  now: number | null,
  limit: number,
) => Statement<ScheduleRow & { readonly now: number }> = defineStatement(
  'queue.schedules-due',
  (s) => /* sql */ `
    with clock as materialized (select coalesce(to_timestamp($2::float8 / 1000), clock_timestamp()) as now)
    select ${COLUMNS}, ${ms('k.now')} as now from ${s}.queue_schedule c, clock k
    where c.queue = $1::int and not c.paused and c.next_at <= k.now order by c.next_at limit $3::int`,
  (queue, now, limit) => [queue, now, limit],
)

/** How long until the next schedule is due, in milliseconds; null where there is none. */
export const untilNextSchedule: (
  schema: string,
  queue: number,
  now: number | null,
) => Statement<{ readonly wait: number | null }> = defineStatement(
  'queue.schedules-wait',
  (s) => /* sql */ `
    select ${ms('(min(c.next_at) - coalesce(to_timestamp($2::float8 / 1000), clock_timestamp()))')} as wait
    from ${s}.queue_schedule c where c.queue = $1::int and not c.paused and c.next_at is not null`,
  (queue, now) => [queue, now],
)

/** Fires schedules; see `queue_fire`. */
export const fireSchedules: (
  schema: string,
  fires: string,
) => Statement<{ readonly fired: number }> = defineStatement(
  'queue.fire',
  (s) => /* sql */ `select ${s}.queue_fire($1::text::jsonb) as fired`,
  (fires) => [fires],
)

export const listSchedules: (
  schema: string,
  queue: number,
  name: string | null,
) => Statement<ScheduleRow> = defineStatement(
  'queue.schedules',
  (s) => /* sql */ `
    select ${COLUMNS} from ${s}.queue_schedule c
    where c.queue = $1::int and ($2::text is null or c.name = $2::text) order by c.name`,
  (queue, name) => [queue, name],
)

/** Pauses a schedule, or lets it go on with the next slot given. */
export const pauseSchedule: (
  schema: string,
  queue: number,
  name: string,
  paused: boolean,
  nextAt: number | null,
) => Statement<{ readonly id: string }> = defineStatement(
  'queue.schedule-pause',
  (s) => /* sql */ `
    with changed as (
      update ${s}.queue_schedule c set paused = $3::boolean,
        next_at = case when $3::boolean or not c.paused then c.next_at else to_timestamp($4::float8 / 1000) end
      where c.queue = $1::int and c.name = $2::text returning c.id
    )
    select c.id::text, ${s}.hub_tell('queue-schedule', $1::int::text) from changed c`,
  (queue, name, paused, nextAt) => [queue, name, paused, nextAt],
)

/** Removes a schedule with its history. Its jobs stay. Runs are taken in the order in which a worker ends their jobs. */
export const removeSchedule: (
  schema: string,
  queue: number,
  name: string,
) => Statement<{ readonly id: string }> = defineStatement(
  'queue.schedule-remove',
  (s) => /* sql */ `
    with gone as (
      delete from ${s}.queue_schedule c where c.queue = $1::int and c.name = $2::text returning c.id
    ), runs as materialized (
      select r.schedule, r.slot from ${s}.queue_run r join gone g on r.schedule = g.id order by r.job for update of r
    ), forgotten as (
      delete from ${s}.queue_run r using runs o where r.schedule = o.schedule and r.slot = o.slot
    )
    select g.id::text from gone g`,
  (queue, name) => [queue, name],
)

export const runScheduleNow: (
  schema: string,
  schedule: string,
) => Statement<{ readonly job: string | null }> = defineStatement(
  'queue.run-now',
  (s) => /* sql */ `select ${s}.queue_run_now($1::bigint)::text as job`,
  (schedule) => [schedule],
)

/** A run as it stands. */
export interface RunRow {
  readonly slot: number
  readonly job: string | null
  readonly startedAt: number | null
  readonly finishedAt: number | null
  readonly outcome: string | null
}

/** Runs of a schedule, newest first. One that runs now has its start from its lease. */
export const listRuns: (schema: string, schedule: string, limit: number) => Statement<RunRow> =
  defineStatement(
    'queue.runs',
    (s) => /* sql */ `
      select ${ms('r.slot')} as slot, r.job::text, ${ms('coalesce(r.started_at, l.started_at)')} as "startedAt",
        ${ms('r.finished_at')} as "finishedAt", r.outcome
      from ${s}.queue_run r
      left join lateral (
        select l.started_at from ${s}.queue_lease l where r.outcome is null and l.ids @> array[r.job] limit 1
      ) l on true
      where r.schedule = $1::bigint order by r.slot desc limit $2::int`,
    (schedule, limit) => [schedule, limit],
  )

/** Removes runs that ended longer ago than they are kept. Answers whether there are more. */
export const sweepRuns: (schema: string, queue: number) => Statement<{ readonly more: boolean }> =
  defineStatement(
    'queue.runs-sweep',
    (s) => /* sql */ `select ${s}.queue_run_sweep($1::int) as more`,
    (queue) => [queue],
  )
