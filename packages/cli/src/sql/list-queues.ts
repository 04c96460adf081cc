import { defineStatement, type Statement } from '@howdah/core'

/** A queue as it stands. */
export interface QueueRow {
  readonly name: string
  readonly paused: boolean
  readonly waiting: number
  readonly delayed: number
  readonly blocked: number
  readonly running: number
  readonly dead: number
  readonly workers: number
  /** Age in milliseconds of the oldest job at the head of a priority. */
  readonly oldest: number | null
  /** In the last minute. */
  readonly added: number
  readonly completed: number
  readonly failed: number
}

const sum = (name: string) => `coalesce(sum(t.${name}), 0)::int as ${name}`
const recent = (name: string) =>
  `coalesce(sum(t.${name}) filter (where t.at > statement_timestamp() - interval '1 minute'), 0)::int as ${name}`

/**
 * Lists all queues, or the one of a name. What is counted is summed up from the tally; the oldest job is looked up one by one at the head of
 * each priority, for joined, the planner may read all jobs.
 */
export const listQueues: (schema: string, name: string | null) => Statement<QueueRow> =
  defineStatement(
    'cli.queues',
    (s) => /* sql */ `
    select q.name, q.paused, c.*,
      (select count(*) from ${s}.queue_worker w where w.queue = q.id and w.expires_at > statement_timestamp())::int as workers,
      (with recursive heads as (
        (select r.rank, r.id from ${s}.queue_ready r where r.queue = q.id order by r.rank, r.seq limit 1)
        union all
        select n.rank, n.id from heads h cross join lateral (
          select r.rank, r.id from ${s}.queue_ready r where r.queue = q.id and r.rank > h.rank order by r.rank, r.seq limit 1) n
      )
      select extract(epoch from statement_timestamp() - min((select j.added_at from ${s}.queue_job j where j.id = h.id))) * 1000 from heads h)::float8 as oldest
    from ${s}.queue q
    cross join lateral (
      select ${['waiting', 'delayed', 'blocked', 'running', 'dead'].map(sum).join(', ')}, ${['added', 'completed', 'failed'].map(recent).join(', ')}
      from ${s}.queue_tally t where t.queue = q.id
    ) c
    where $1::text is null or q.name = $1::text order by q.name`,
    (name) => [name],
  )

/** Who works on a queue. */
export interface WorkerRow {
  readonly about: string
  readonly startedAt: number
  readonly running: number
}

export const listWorkers: (schema: string, queue: string) => Statement<WorkerRow> = defineStatement(
  'cli.workers',
  (s) => /* sql */ `
    select w.about, (extract(epoch from w.started_at) * 1000)::float8 as "startedAt",
      coalesce((select sum(cardinality(l.ids)) from ${s}.queue_lease l where l.worker = w.id), 0)::int as running
    from ${s}.queue_worker w join ${s}.queue q on q.id = w.queue
    where q.name = $1::text and w.expires_at > statement_timestamp() order by w.started_at, w.id`,
  (queue) => [queue],
)
