import { defineStatement, type Statement } from '@howdah/core'

/** Leaves a tombstone in place of one session, whether or not the session is known. */
export const destroySession: (
  schema: string,
  idHash: string,
  tombstone: number,
) => Statement<{ destroyed: boolean }> = defineStatement(
  'session.destroy',
  (s) => /* sql */ `
    insert into ${s}.session (id_hash, data, expires_at, expires_hour)
    select decode($1::text, 'hex'), null, due.at, floor(extract(epoch from due.at) / 3600)::int
    from (select clock_timestamp() + $2::double precision * interval '1 ms' as at) due
    on conflict (id_hash) do update
    set data = null, expires_at = excluded.expires_at, expires_hour = excluded.expires_hour`,
  (idHash, tombstone) => [idHash, tombstone],
)
