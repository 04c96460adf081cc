import { defineStatement, type Statement } from '@howdah/core'

/** Ranges of ready jobs to search, as columns: each begins behind (low, seq) and ends with rank high. */
export interface Ranges {
  readonly lows: readonly number[]
  readonly seqs: readonly string[]
  readonly highs: readonly number[]
}

/** What became of jobs, as `queue_settle` takes it. */
export interface Ends {
  readonly done: readonly string[] | null
  readonly cutLeases: readonly string[] | null
  readonly cutIds: readonly string[] | null
  /** JSON by job id. */
  readonly ended: string | null
}

export interface Take extends Ends {
  readonly queue: number
  readonly worker: string
  readonly want: number
  /** Nothing else runs in this worker. */
  readonly alone: boolean
  readonly ranges: Ranges
  /** Time behind which to look for due jobs; `null` not to look. */
  readonly dueAfter: string | null
}

/** What a worker is answered; lists are divided by commas, and empty ones are null. */
export interface Taken {
  readonly state: 'ok' | 'paused' | 'unknown' | 'exclusive'
  readonly lease: string | null
  readonly count: number
  /** Elements of a JSON array. */
  readonly jobs: string | null
  /** The last place claimed of each rank. */
  readonly ranks: string | null
  readonly seqs: string | null
  /** Jobs, and leases after an L, that were somebody else's already. */
  readonly lost: string | null
  /** Jobs that failed for the last time. */
  readonly dead: string | null
  readonly epoch: string
  readonly promoted: number | null
  readonly dueAfter: string | null
  readonly dueIn: number | null
  /** Until the rate allows another start, in milliseconds. */
  readonly waitIn: number | null
  /** Somebody listens to events of the queue. */
  readonly watched: boolean
  /** The queue has a limit for all processes. */
  readonly limited: boolean
  /** The search was broken off after many jobs that could not run. */
  readonly more: boolean
}

/** Settles what has ended, makes ready what is due, and claims. */
export const take: (schema: string, of: Take) => Statement<Taken> = defineStatement(
  'queue.take',
  (s) => /* sql */ `
    select state, lease, count, jobs, ranks, seqs, lost_jobs as lost, dead_jobs as dead, epoch, promoted, due_after as "dueAfter",
      due_in as "dueIn", wait_in as "waitIn", watched, limited, more
    from ${s}.queue_take($1::int, $2::bigint, $3::int, $4::boolean, $5::int[], $6::bigint[], $7::int[],
      $8::timestamptz, $9::bigint[], $10::bigint[], $11::bigint[], $12::text::jsonb)`,
  (of) => [
    of.queue,
    of.worker,
    of.want,
    of.alone,
    of.ranges.lows,
    of.ranges.seqs,
    of.ranges.highs,
    of.dueAfter,
    of.done,
    of.cutLeases,
    of.cutIds,
    of.ended,
  ],
)

/** Settles what has ended. Answers what was lost. */
export const settle: (
  schema: string,
  queue: number,
  ends: Ends,
) => Statement<{ readonly lost: string | null; readonly dead: string | null }> = defineStatement(
  'queue.settle',
  (s) => /* sql */ `
    select lost_jobs as lost, dead_jobs as dead
    from ${s}.queue_settle($1::int, $2::bigint[], $3::bigint[], $4::bigint[], $5::text::jsonb)`,
  (queue, ends) => [queue, ends.done, ends.cutLeases, ends.cutIds, ends.ended],
)
