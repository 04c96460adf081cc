import { defineStatement, type Statement } from '@howdah/core'

/** How many jobs of a queue are in each state. */
export interface CountRow {
  readonly waiting: number
  readonly delayed: number
  readonly running: number
  readonly dead: number
}

/** Counts a queue's jobs by state. A lease that has run out counts as waiting. */
export const countJobs: (schema: string, queue: string) => Statement<CountRow> = defineStatement(
  'queue.count',
  (s) => /* sql */ `
    select
      count(*) filter (where run_at <= statement_timestamp())::int as waiting,
      count(*) filter (where run_at > statement_timestamp() and lease is null)::int as delayed,
      count(*) filter (where run_at > statement_timestamp() and lease is not null)::int as running,
      (select count(*) from ${s}.queue_dead where queue = $1::text)::int as dead
    from ${s}.queue_job
    where queue = $1::text`,
  (queue) => [queue],
)
