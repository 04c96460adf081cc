import type { Migration } from '@howdah/core'
import { operatorFunctions } from './functions/operators.js'
import { pruneFunction } from './functions/prune.js'

/**
 * One row a session, and no row for one that has ended.
 *
 * - `version` rises with every save, and the first one of a row is taken from the clock: an id that is used anew never meets a version it had before. It is
 *   negative while an import has not confirmed the row.
 * - `data` is JSON, or begins with `~` and is encrypted.
 * - Keys begin with what tells most rows apart: fewer comparisons for each look-up, and one without a name finds its rows as well.
 * - The names have a small index, for statistics, equal keys stored once. It is of an expression, or plans made while there are no sessions would find them by it.
 * - The only index on time is by the hour, so that prolonging a session within its hour stays a heap-only update; `fillfactor` leaves room for it.
 */
export const initial: Migration = {
  version: 1,
  name: 'initial',
  up: (s) => [
    /* sql */ `create table ${s}.session (
      name text collate "C" not null,
      id_hash bytea not null,
      version bigint not null,
      expires_hour int not null,
      created_at timestamptz not null,
      seen_at timestamptz not null,
      expires_at timestamptz not null,
      data text not null,
      user_id text collate "C",
      address text,
      user_agent text,
      label text,
      primary key (id_hash, name),
      constraint session_id_hash_is_sha256 check (octet_length(id_hash) = 32)
    ) with (fillfactor = 80)`,
    `create index session_names on ${s}.session ((name || ''))`,
    `create index session_expires_hour on ${s}.session (expires_hour)`,
    `create index session_of_user on ${s}.session (user_id, name) where user_id is not null`,
    pruneFunction(s),
    ...operatorFunctions(s),
  ],
  down: (s) => [
    `drop function ${s}.session_revoke_all, ${s}.session_trim, ${s}.session_revoke, ${s}.session_list, ${s}.session_prune`,
    `drop table ${s}.session`,
  ],
}
