import { defineStatement, type Statement } from '@howdah/core'

const by = `$2::float8 * interval '1 millisecond'`

/** Makes everything of a queue as old as if the time had passed. */
export const shiftQueue: (schema: string, queue: number, ms: number) => Statement = defineStatement(
  'queue.shift',
  (s) => /* sql */ `
    with scheduled as (
      update ${s}.queue_scheduled set run_at = run_at - ${by} where queue = $1::int
    ), flows as (
      update ${s}.queue_flow set ready_at = ready_at - ${by} where queue = $1::int
    ), jobs as (
      update ${s}.queue_job set added_at = added_at - ${by}, expires_at = expires_at - ${by} where queue = $1::int
    ), keys as (
      update ${s}.queue_key set until = until - ${by} where queue = $1::int and until <> 'infinity'
    ), rates as (
      update ${s}.queue_rate set arrival = arrival - ${by} where queue = $1::int
    ), done as (
      update ${s}.queue_done set finished_at = finished_at - ${by}, started_at = started_at - ${by} where queue = $1::int
    ), results as (
      update ${s}.queue_result set finished_at = finished_at - ${by}, started_at = started_at - ${by} where queue = $1::int
    ), schedules as (
      update ${s}.queue_schedule set next_at = next_at - ${by}, anchor = anchor - ${by} where queue = $1::int
    ), runs as (
      update ${s}.queue_run r set finished_at = finished_at - ${by}, started_at = started_at - ${by}
      from ${s}.queue_schedule c where c.queue = $1::int and r.schedule = c.id
    ), tally as (
      update ${s}.queue_tally set at = at - ${by} where queue = $1::int
    )
    select 1`,
  (queue, ms) => [queue, ms],
)

/**
 * Whether a queue has jobs that run or are to be claimed. Those that wait for a place of their group are not among them: it comes free when a
 * job of the group ends, which may be one that waits for its retry.
 */
export const isBusy: (schema: string, queue: number) => Statement<{ readonly busy: boolean }> =
  defineStatement(
    'queue.busy',
    (s) => /* sql */ `
    select exists (select from ${s}.queue_lease where queue = $1::int)
      or not q.paused and exists (select from ${s}.queue_ready where queue = $1::int) as busy
    from ${s}.queue q where q.id = $1::int`,
    (queue) => [queue],
  )
