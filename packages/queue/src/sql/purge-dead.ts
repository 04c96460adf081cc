import { defineStatement, type Statement } from '@howdah/core'

/** Deletes a queue's dead letters for good. Null ids mean all of them. */
export const purgeDead: (
  schema: string,
  queue: string,
  ids: readonly string[] | null,
) => Statement<{ readonly purged: number }> = defineStatement(
  'queue.purge',
  (s) => /* sql */ `
    with purged as (
      delete from ${s}.queue_dead
      where queue = $1::text and ($2::bigint[] is null or id = any($2::bigint[]))
      returning 1
    )
    select count(*)::int as purged from purged`,
  (queue, ids) => [queue, ids],
)
