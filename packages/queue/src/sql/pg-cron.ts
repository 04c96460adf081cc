import { defineStatement, literal, type Statement } from '@howdah/core'

/** How a schedule is called there; one server's jobs are in one table for all its databases. */
const jobName = (s: string) =>
  `'howdah ' || current_database() || ' ' || ${literal(s)} || ' ' || $1::bigint`

export const pgCronState: (
  schema: string,
) => Statement<{ readonly installed: boolean; readonly timezone: string | null }> = defineStatement(
  'queue.pg-cron',
  () => /* sql */ `
    select exists (select from pg_extension where extname = 'pg_cron') as installed, current_setting('cron.timezone', true) as timezone`,
  () => [],
)

/** Registers a schedule, or changes its time. The slot is the minute, or for seconds the second, in which pg_cron calls. */
export const scheduleInPgCron: (schema: string, schedule: string, time: string) => Statement =
  defineStatement(
    'queue.pg-cron-schedule',
    (s) => /* sql */ `
    select cron.schedule(${jobName(s)}, $2::text, 'select ' || ${literal(s)} || '.queue_run_now(' || $1::bigint || ', date_trunc('''
      || case when $2::text like '%seconds' then 'second' else 'minute' end || ''', clock_timestamp()))')`,
    (schedule, time) => [schedule, time],
  )

export const pgCronUnschedule: (schema: string, schedule: string) => Statement = defineStatement(
  'queue.pg-cron-unschedule',
  (s) =>
    /* sql */ `select cron.unschedule(j.jobid) from cron.job j where j.jobname = ${jobName(s)}`,
  (schedule) => [schedule],
)
