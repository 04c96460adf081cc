import { defineStatement, type Statement } from '@howdah/core'

export interface Entered {
  readonly worker: string
  readonly epoch: string
  /** The queue has a limit for all processes. */
  readonly limited: boolean
}

/** Registers a worker, or one that was thought dead once more under its number. */
export const enterWorker: (
  schema: string,
  queue: number,
  worker: string | null,
  leaseMs: number,
  about: string,
) => Statement<Entered> = defineStatement(
  'queue.enter',
  (s) =>
    /* sql */ `select worker, epoch, limited from ${s}.queue_enter($1::int, $2::bigint, $3::float8, $4::text)`,
  (queue, worker, leaseMs, about) => [queue, worker, leaseMs, about],
)

export interface BeatRow {
  readonly worker: string
  /** Ids of jobs somebody has cancelled, divided by commas. */
  readonly cancelled: string | null
}

/** Says that workers live. Those that are not answered are thought dead. */
export const beat: (
  schema: string,
  workers: readonly string[],
  leasesMs: readonly number[],
) => Statement<BeatRow> = defineStatement(
  'queue.beat',
  (s) => /* sql */ `select worker, cancelled from ${s}.queue_beat($1::bigint[], $2::float8[])`,
  (workers, leasesMs) => [workers, leasesMs],
)

/** Takes back a worker's registration, if it holds nothing any more. */
export const leaveWorker: (schema: string, worker: string) => Statement = defineStatement(
  'queue.leave',
  (s) => /* sql */ `select 1 from ${s}.queue_leave($1::bigint)`,
  (worker) => [worker],
)

/** Asks for places of a queue that has a limit for all processes. */
export const askPlaces: (
  schema: string,
  queue: number,
  worker: string,
  wants: number,
  uses: number,
) => Statement<{ readonly places: number }> = defineStatement(
  'queue.places',
  (s) => /* sql */ `select ${s}.queue_places($1::int, $2::bigint, $3::int, $4::int) as places`,
  (queue, worker, wants, uses) => [queue, worker, wants, uses],
)

/** Makes the jobs of dead workers run again. Answers how many. */
export const rescue: (schema: string, graceMs: number) => Statement<{ readonly count: number }> =
  defineStatement(
    'queue.rescue',
    (s) => /* sql */ `select ${s}.queue_rescue($1::float8) as count`,
    (graceMs) => [graceMs],
  )

/**
 * Compares what a worker thinks it holds with what it does. Answers the leases it has lost, and puts back the jobs of leases it does
 * not know of: the answer to that claim never reached it.
 */
export const reconcile: (
  schema: string,
  worker: string,
  known: readonly string[],
  ageMs: number,
) => Statement<{ readonly lost: string | null }> = defineStatement(
  'queue.reconcile',
  (s) => /* sql */ `select ${s}.queue_reconcile($1::bigint, $2::bigint[], $3::float8) as lost`,
  (worker, known, ageMs) => [worker, known, ageMs],
)
