import { defineStatement, type Statement } from '@howdah/core'

/** What became of a job that was to be cancelled. */
export type CancelAnswer = 'cancelled' | 'cancelling' | 'ended' | 'unknown'

export const cancelJob: (
  schema: string,
  id: string,
) => Statement<{ readonly answer: CancelAnswer }> = defineStatement(
  'queue.cancel',
  (s) => /* sql */ `select ${s}.queue_cancel($1::bigint) as answer`,
  (id) => [id],
)

/** Times in milliseconds; `null` leaves what is. */
export const rescheduleJob: (
  schema: string,
  id: string,
  priority: number | null,
  delayMs: number | null,
  runAtMs: number | null,
) => Statement<{ readonly moved: boolean }> = defineStatement(
  'queue.reschedule',
  (s) =>
    /* sql */ `select ${s}.queue_reschedule($1::bigint, $2::int, $3::float8, $4::float8) as moved`,
  (id, priority, delayMs, runAtMs) => [id, priority, delayMs, runAtMs],
)

export const pauseQueue: (schema: string, queue: number, paused: boolean) => Statement =
  defineStatement(
    'queue.pause',
    (s) => /* sql */ `select 1 from ${s}.queue_pause($1::int, $2::boolean)`,
    (queue, paused) => [queue, paused],
  )

/** Null ids mean all. */
export const redriveDead: (
  schema: string,
  queue: number,
  ids: readonly string[] | null,
  limit: number,
) => Statement<{ readonly n: number }> = defineStatement(
  'queue.redrive',
  (s) => /* sql */ `select ${s}.queue_redrive($1::int, $2::bigint[], $3::int) as n`,
  (queue, ids, limit) => [queue, ids, limit],
)

/** Null ids mean all. */
export const purgeDead: (
  schema: string,
  queue: number,
  ids: readonly string[] | null,
  limit: number,
) => Statement<{ readonly n: number }> = defineStatement(
  'queue.purge',
  (s) => /* sql */ `select ${s}.queue_purge($1::int, $2::bigint[], $3::int) as n`,
  (queue, ids, limit) => [queue, ids, limit],
)

export const clearQueue: (
  schema: string,
  queue: number,
  limit: number,
) => Statement<{ readonly n: number }> = defineStatement(
  'queue.clear',
  (s) => /* sql */ `select ${s}.queue_clear($1::int, $2::int) as n`,
  (queue, limit) => [queue, limit],
)
