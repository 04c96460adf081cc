import { defineStatement, type Statement } from '@howdah/core'

/** What became of a job that failed; no row where its lease was lost. */
export interface FailedRow {
  readonly dead: boolean
}

/** Ends an attempt that failed: the job waits `delayMs` and runs again, or becomes a dead letter after its last attempt. */
export const failJob: (
  schema: string,
  id: string,
  lease: string,
  error: string,
  delayMs: number,
) => Statement<FailedRow> = defineStatement(
  'queue.fail',
  (s) => /* sql */ `
    with held as materialized (
      select id, attempt >= max_attempts as spent
      from ${s}.queue_job
      where id = $1::bigint and lease = $2::bigint
      for update
    ), retried as (
      update ${s}.queue_job j
      set run_at = statement_timestamp() + $4::float8 * interval '1 millisecond',
          lease = null, error = $3::text
      from held
      where j.id = held.id and not held.spent
    ), buried as (
      delete from ${s}.queue_job j using held
      where j.id = held.id and held.spent
      returning j.*
    ), letters as (
      insert into ${s}.queue_dead (id, queue, payload, priority, attempt, max_attempts, error, added_at)
      select id, queue, payload, priority, attempt, max_attempts, $3::text, added_at
      from buried
    )
    select spent as dead from held`,
  (id, lease, error, delayMs) => [id, lease, error, delayMs],
)
