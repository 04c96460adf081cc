import { defineStatement, type Statement } from '@howdah/core'

/** Ends jobs that went well. Answers the ids that were still leased to the caller; the others belong to someone else by now. */
export const completeJobs: (
  schema: string,
  ids: readonly string[],
  leases: readonly string[],
) => Statement<{ readonly id: string }> = defineStatement(
  'queue.complete',
  (s) => /* sql */ `
    delete from ${s}.queue_job j
    using unnest($1::bigint[], $2::bigint[]) as done(id, lease)
    where j.id = done.id and j.lease = done.lease
    returning j.id::text`,
  (ids, leases) => [ids, leases],
)
