import { defineStatement, literal, type Statement } from '@howdah/core'

/** The number that stands for a query in advisory locks; the query's name is the first parameter. */
export function lockKey(s: string): string {
  return `hashtextextended('howdah cache materialized ' || ${literal(s)} || ' ' || $1::text, 0)`
}

/** What a transaction that holds a query's lock would be found by in `pg_locks l`. */
export function holdsLock(s: string): string {
  return `l.locktype = 'advisory' and l.granted and l.objsubid = 1
      and l.database = (select d.oid from pg_catalog.pg_database d where d.datname = current_database())
      and l.classid = ((${lockKey(s)} >> 32) & 4294967295)::oid
      and l.objid = (${lockKey(s)} & 4294967295)::oid`
}

/**
 * Takes a query's lock until the end of the transaction, unless another has it, and sets what a long statement needs: its own time
 * limit, and that the server notices within a second when the process that waits for it has died. Windows cannot notice.
 */
export const lockQuery: (
  schema: string,
  name: string,
  timeoutMs: number,
  watched: boolean,
) => Statement<{ readonly locked: boolean; readonly pid: number }> = defineStatement(
  'cache.materialized-lock',
  (s) => /* sql */ `
    select pg_try_advisory_xact_lock(${lockKey(s)}) as locked, pg_backend_pid() as pid,
      set_config('statement_timeout', $2::text, true) as timeout,
      case when $3::boolean and version() !~* 'windows|mingw|visual c'
        then set_config('client_connection_check_interval', '1000', true) end as watch`,
  (name, timeoutMs, watched) => [name, String(timeoutMs), watched],
)
