import { defineStatement, type Statement } from '@howdah/core'

/** Folds what was counted: what is older than a minute into one row a minute, and what is older than a day into one. */
export const compactTally: (schema: string, queue: number) => Statement = defineStatement(
  'queue.fold',
  (s) => /* sql */ `select 1 from ${s}.queue_fold($1::int)`,
  (queue) => [queue],
)

/** Removes jobs that ended longer ago than they are kept. Answers whether there are more. */
export const sweepHistory: (
  schema: string,
  queue: number,
  limit: number,
) => Statement<{ readonly more: boolean }> = defineStatement(
  'queue.sweep',
  (s) => /* sql */ `select ${s}.queue_sweep($1::int, $2::int) as more`,
  (queue, limit) => [queue, limit],
)
