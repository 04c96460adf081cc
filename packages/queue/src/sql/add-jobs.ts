import { defineStatement, type Statement } from '@howdah/core'

/** One job as it is added; exactly one of `delay` (milliseconds) and `runAt` is set. */
export interface NewJob {
  readonly queue: string
  readonly payload: string
  readonly priority: number
  readonly attempts: number
  readonly delay: number | null
  readonly runAt: Date | null
}

/** Adds jobs, of any queues, and answers their ids in the order given. */
export const addJobs: (
  schema: string,
  jobs: readonly NewJob[],
) => Statement<{ readonly id: string }> = defineStatement(
  'queue.add',
  (s) => /* sql */ `
    with added as (
      insert into ${s}.queue_job (queue, payload, priority, max_attempts, run_at)
      select j.queue, j.payload::json, j.priority, j.attempts,
        coalesce(j.run_at, statement_timestamp() + j.delay * interval '1 millisecond')
      from unnest($1::text[], $2::text[], $3::int[], $4::int[], $5::float8[], $6::timestamptz[])
        with ordinality as j(queue, payload, priority, attempts, delay, run_at, position)
      order by j.position
      returning id
    )
    select id::text from added order by added.id`,
  (jobs) => [
    jobs.map((job) => job.queue),
    jobs.map((job) => job.payload),
    jobs.map((job) => job.priority),
    jobs.map((job) => job.attempts),
    jobs.map((job) => job.delay),
    jobs.map((job) => job.runAt?.toISOString() ?? null),
  ],
)
