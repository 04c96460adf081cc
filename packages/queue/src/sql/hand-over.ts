import { defineStatement, type Statement } from '@howdah/core'
import type { Ranges } from './take.js'

/** A job that was added; `lease` and `jobs` as a claim answers them, or null where it waits like any other. */
export interface HandedOver {
  readonly id: string
  readonly lease: string | null
  readonly jobs: string | null
}

/** Adds a job and claims it for a worker that sleeps. */
export const handOver: (
  schema: string,
  queue: number,
  payload: string,
  worker: string,
  ranges: Ranges,
) => Statement<HandedOver> = defineStatement(
  'queue.hand-over',
  (s) => /* sql */ `
    select id, lease, jobs
    from ${s}.queue_hand_over($1::int, $2::text, $3::bigint, $4::int[], $5::bigint[], $6::int[])`,
  (queue, payload, worker, { lows, seqs, highs }) => [queue, payload, worker, lows, seqs, highs],
)
