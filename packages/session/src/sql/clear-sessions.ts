import { defineStatement, type Statement } from '@howdah/core'

/** Turns every session into a tombstone. */
export const clearSessions: (schema: string, tombstone: number) => Statement = defineStatement(
  'session.clear',
  (s) => /* sql */ `
    update ${s}.session
    set data = null, expires_at = due.at, expires_hour = floor(extract(epoch from due.at) / 3600)::int
    from (select clock_timestamp() + $1::double precision * interval '1 ms' as at) due
    where data is not null`,
  (tombstone) => [tombstone],
)
