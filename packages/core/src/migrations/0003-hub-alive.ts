import { identityClass } from '../hub/lock-keys.js'
import { literal, unquoted } from '../ident.js'
import type { Migration } from '../migrator/migration.js'

/**
 * `hub_alive()` tells which hubs live, without any of them writing for it. One that listens holds an advisory lock that names it, and its
 * session shows when it last asked anything; one that polls has its row. `quiet` is one whose session is there and has not been
 * heard of for 20 seconds: its process hangs, or the network between is gone. Where the server does not say when a session was last
 * active (of other roles, or with `track_activities` off), the lock alone counts.
 */
export const hubAlive: Migration = {
  version: 3,
  name: 'hub-alive',
  up: (s) => [
    /* sql */ `create function ${s}.hub_alive(out identity text, out quiet boolean) returns setof record
      language sql rows 10 set search_path = pg_catalog, pg_temp as ${literal(alive(s))}`,
  ],
  down: (s) => [`drop function ${s}.hub_alive()`],
}

function alive(s: string): string {
  return /* sql */ `
    select l.objid::text, coalesce(a.state_change < clock_timestamp() - interval '20 s', false)
    from pg_locks l left join pg_stat_activity a using (pid)
    where l.locktype = 'advisory' and l.objsubid = 2 and l.granted
      and l.classid = ${identityClass(unquoted(s)) >>> 0}::bigint::oid
      and l.database = (select oid from pg_database where datname = current_database())
    union all
    select p.id, false from ${s}.hub_poller p
    where p.seen_at > clock_timestamp() - interval '30 s'`
}
