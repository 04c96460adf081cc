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
    ), tally as (
      update ${s}.queue_tally set at = at - ${by} where queue = $1::int
    )
    select 1`,
  (queue, ms) => [queue, ms],
)
