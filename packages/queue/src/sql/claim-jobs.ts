import { defineStatement, literal, type Statement } from '@howdah/core'

/** A job that a worker has claimed. */
export interface ClaimedRow {
  readonly id: string
  readonly payload: string
  readonly attempt: number
  readonly maxAttempts: number
  readonly lease: string
}

/**
 * Claims due jobs, highest priority first and then oldest, passing over those that others hold. A job whose last attempt ended
 * without a word (its worker died) is out of attempts here, and becomes a dead letter instead.
 */
export const claimJobs: (
  schema: string,
  queue: string,
  limit: number,
  leaseMs: number,
) => Statement<ClaimedRow> = defineStatement(
  'queue.claim',
  (s) => /* sql */ `
    with due as materialized (
      select id, attempt >= max_attempts as spent
      from ${s}.queue_job
      where queue = $1::text and run_at <= statement_timestamp()
      order by priority desc, run_at, id
      limit $2::int
      for update skip locked
    ), buried as (
      delete from ${s}.queue_job j using due
      where j.id = due.id and due.spent
      returning j.*
    ), letters as (
      insert into ${s}.queue_dead (id, queue, payload, priority, attempt, max_attempts, error, added_at)
      select id, queue, payload, priority, attempt, max_attempts,
        coalesce(error, 'The worker died or lost its lease.'), added_at
      from buried
    ), claimed as (
      update ${s}.queue_job j
      set attempt = j.attempt + 1,
          lease = nextval(${literal(`${s}.queue_lease`)}),
          run_at = statement_timestamp() + $3::float8 * interval '1 millisecond'
      from due
      where j.id = due.id and not due.spent
      returning j.id, j.payload, j.attempt, j.max_attempts, j.lease, j.priority
    )
    select id::text, payload::text, attempt, max_attempts as "maxAttempts", lease::text
    from claimed
    order by claimed.priority desc, claimed.id`,
  (queue, limit, leaseMs) => [queue, limit, leaseMs],
)
