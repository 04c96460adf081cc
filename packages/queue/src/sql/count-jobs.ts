import { defineStatement, type Statement } from '@howdah/core'

/** Counts of one queue. */
export interface CountRow {
  readonly waiting: number
  readonly delayed: number
  readonly blocked: number
  readonly running: number
  readonly dead: number
  readonly paused: boolean
  /** Milliseconds. */
  readonly oldest: number | null
  readonly recent: readonly [added: number, completed: number, failed: number]
  readonly totals: readonly number[]
}

/** Totals in the order that {@link CountRow.totals} has them. */
export const TOTALS = [
  'added',
  'completed',
  'failed',
  'crashed',
  'died',
  'cancelled',
  'expired',
] as const

const sum = (name: string) => `coalesce(sum(t.${name}), 0)`
const recent = (name: string) =>
  `coalesce(sum(t.${name}) filter (where t.at > statement_timestamp() - interval '1 minute'), 0)`

/** Adds up what was counted, exactly as of now. The oldest job is looked up at the head of each priority that has one. */
export const countJobs: (schema: string, queue: number) => Statement<CountRow> = defineStatement(
  'queue.count',
  (s) => /* sql */ `
    with recursive heads as (
      (select r.rank, r.id from ${s}.queue_ready r where r.queue = $1::int order by r.rank, r.seq limit 1)
      union all
      select n.rank, n.id from heads h cross join lateral (
        select r.rank, r.id from ${s}.queue_ready r where r.queue = $1::int and r.rank > h.rank order by r.rank, r.seq limit 1) n
    )
    select ${sum('waiting')}::int as waiting, ${sum('delayed')}::int as delayed, ${sum('blocked')}::int as blocked,
      ${sum('running')}::int as running, ${sum('dead')}::int as dead,
      coalesce((select q.paused from ${s}.queue q where q.id = $1::int), false) as paused,
      (select extract(epoch from statement_timestamp() - min(j.added_at)) * 1000 from heads h join ${s}.queue_job j on j.id = h.id)::float8 as oldest,
      json_build_array(${recent('added')}, ${recent('completed')}, ${recent('failed')}) as recent,
      json_build_array(${TOTALS.map(sum).join(', ')}) as totals
    from ${s}.queue_tally t where t.queue = $1::int`,
  (queue) => [queue],
)
