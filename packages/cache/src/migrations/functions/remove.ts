import { entryTable, type Family } from '../family.js'
import {
  ATTRIBUTES,
  BE_PATIENT,
  bucket,
  enter,
  inKeyOrder,
  leave,
  live,
  nextVersion,
  PATIENCE,
  ROW_BYTES,
  seconds,
  VARIABLES,
} from '../fragments.js'

/**
 * Removes entries and answers the keys that were live.
 *
 * In a transaction of the application's (`_mark`) a placeholder stays in their place for a minute. Without one, a load that
 * begins before that transaction commits would find nothing to wait for, and store what it read from the tables before.
 */
export function removeFunction(s: string, family: Family): string {
  const table = entryTable(s, family)
  return /* sql */ `create function ${s}.cache_remove${family.suffix}(_namespace text, _keys text[], _mark boolean default true, ${PATIENCE})
    returns setof text ${ATTRIBUTES} as $body$
#variable_conflict use_column
declare ${VARIABLES}
  removed text[];
  end_at timestamptz;
begin ${enter(s, { create: false, family })} ${BE_PATIENT}
  if _mark then
    ver := ${nextVersion(s)};
    end_at := statement_timestamp() + interval '1 minute';
    -- Locks what is there without a change, so that all keys, there or not, are taken in one order.
    insert into ${table} as e (namespace, key, version, expires_at, expiry_bucket, accessed, bytes)
    select ns, k, ver, end_at, ${bucket('end_at')}, ${seconds('end_at')}, octet_length(k) + ${ROW_BYTES}
    from (select distinct k from unnest(_keys) as k) as k(k) ${inKeyOrder('k')}
    on conflict (namespace, key) do update set version = excluded.version where false;
    select array_agg(e.key) into removed from ${table} e where e.namespace = ns and e.key = any(_keys) and ${live(s, 'e')};
    update ${table} e set version = ver, value = null, bin = null, tags = null, tag_sum = null, original = null, sliding = null,
      gone_at = null, expires_at = end_at, expiry_bucket = ${bucket('end_at')}, accessed = ${seconds('end_at')},
      bytes = octet_length(e.key) + ${ROW_BYTES}, lease = null, lease_until = null
    where e.namespace = ns and e.key = any(_keys) and e.version <> ver;
  else
    with locked as materialized (
      select e.key, ${live(s, 'e')} as live from ${table} e
      where e.namespace = ns and e.key = any(_keys) order by e.key for update
    ), gone as (
      delete from ${table} e using locked l where e.namespace = ns and e.key = l.key
    )
    select array_agg(l.key) filter (where l.live) into removed from locked l;
  end if;
  ${leave(s, '_keys')}
  return query select unnest(removed);
end $body$`
}
