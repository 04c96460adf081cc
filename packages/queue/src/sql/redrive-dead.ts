import { defineStatement, type Statement } from '@howdah/core'

/** Moves dead letters back into their queue, due at once with all attempts anew. Null ids mean all of them. They keep their ids. */
export const redriveDead: (
  schema: string,
  queue: string,
  ids: readonly string[] | null,
) => Statement<{ readonly id: string }> = defineStatement(
  'queue.redrive',
  (s) => /* sql */ `
    with risen as (
      delete from ${s}.queue_dead
      where queue = $1::text and ($2::bigint[] is null or id = any($2::bigint[]))
      returning *
    )
    insert into ${s}.queue_job (id, queue, payload, priority, max_attempts, run_at, added_at)
    overriding system value
    select id, queue, payload, priority, max_attempts, statement_timestamp(), added_at
    from risen
    returning id::text`,
  (queue, ids) => [queue, ids],
)
