import type { Migration } from '@howdah/core'

/**
 * One row a session. `data` null is a tombstone: the session was destroyed. The only index on time is by the hour, so that
 * extending a session within its hour stays a heap-only update; `fillfactor` leaves room for it.
 */
export const initial: Migration = {
  version: 1,
  name: 'initial',
  up: (s) => [
    `create table ${s}.session (
      id_hash bytea primary key,
      data text,
      expires_at timestamptz not null,
      expires_hour int not null,
      touched boolean not null default false,
      constraint session_id_hash_is_sha256 check (octet_length(id_hash) = 32)
    ) with (fillfactor = 80)`,
    `create index session_expires_hour on ${s}.session (expires_hour)`,
  ],
  down: (s) => [`drop table ${s}.session`],
}
