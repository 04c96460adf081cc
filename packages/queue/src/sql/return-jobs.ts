import { defineStatement, type Statement } from '@howdah/core'

/** Hands unfinished jobs back, due at once. The attempt is not counted: the worker was asked to stop, the job did nothing wrong. */
export const returnJobs: (
  schema: string,
  ids: readonly string[],
  leases: readonly string[],
) => Statement<{ readonly id: string }> = defineStatement(
  'queue.return',
  (s) => /* sql */ `
    update ${s}.queue_job j
    set run_at = statement_timestamp(), lease = null, attempt = j.attempt - 1
    from unnest($1::bigint[], $2::bigint[]) as held(id, lease)
    where j.id = held.id and j.lease = held.lease
    returning j.id::text`,
  (ids, leases) => [ids, leases],
)
