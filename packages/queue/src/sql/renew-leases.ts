import { defineStatement, type Statement } from '@howdah/core'

/** Moves the end of leases. Answers the ids still held; the others were taken over. */
export const renewLeases: (
  schema: string,
  ids: readonly string[],
  leases: readonly string[],
  leaseMs: number,
) => Statement<{ readonly id: string }> = defineStatement(
  'queue.renew',
  (s) => /* sql */ `
    update ${s}.queue_job j
    set run_at = statement_timestamp() + $3::float8 * interval '1 millisecond'
    from unnest($1::bigint[], $2::bigint[]) as held(id, lease)
    where j.id = held.id and j.lease = held.lease
    returning j.id::text`,
  (ids, leases, leaseMs) => [ids, leases, leaseMs],
)
