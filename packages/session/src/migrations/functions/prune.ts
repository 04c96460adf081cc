/** Runs as its caller and finds nothing but what it names. */
export const ATTRIBUTES = 'language plpgsql set search_path = pg_catalog, pg_temp'

/**
 * A plan made while there were few sessions, or before anyone counted them, would read and sort all that have come since. Where a plan cannot do without what is off, PostgreSQL
 * before 18 takes it for so costly that it would compile it.
 */
export const BY_INDEX =
  'set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off set jit = off'

/**
 * `session_prune(most)` removes so many expired sessions of all names at most, and answers how many it did. It passes over rows that others work on, and
 * holds each lock for the time of one small statement.
 */
export function pruneFunction(s: string): string {
  return /* sql */ `create function ${s}.session_prune(most integer default 1000) returns integer
    ${ATTRIBUTES} ${BY_INDEX} as $body$
declare
  pruned integer;
begin
  delete from ${s}.session s where s.ctid = any(array(
    select d.ctid from ${s}.session d
    where d.expires_hour <= floor(date_part('epoch', statement_timestamp()) / 3600)::integer and d.expires_at <= statement_timestamp()
    order by d.expires_hour limit most for update skip locked
  ));
  get diagnostics pruned = row_count;
  return pruned;
end $body$`
}
