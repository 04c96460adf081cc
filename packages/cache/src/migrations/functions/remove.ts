import { entryTable, type Family } from '../family.js'
import {
  ATTRIBUTES,
  BE_PATIENT,
  enter,
  leave,
  live,
  PATIENCE,
  ROW_BYTES,
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
begin ${enter(s, { create: false, family })} ${BE_PATIENT}
  select array_agg(e.key) filter (where e.live) into removed from (
    select e.key, ${live(s, 'e')} as live from ${table} e
    where e.namespace = ns and e.key = any(_keys) order by e.key for update
  ) e;
  if _mark then
    ver := nextval('${s.replaceAll("'", "''")}.cache_version');
    insert into ${table} as e (namespace, key, version, expires_at, expiry_bucket, accessed, bytes)
    select ns, k, ver, end_at, extract(epoch from end_at) / 300, extract(epoch from end_at), octet_length(k) + ${ROW_BYTES}
    from (select distinct k from unnest(_keys) as k) as k(k), (select statement_timestamp() + interval '1 minute') as m(end_at)
    order by k
    on conflict (namespace, key) do update set version = excluded.version, value = null, bin = null, tags = null, tag_sum = null,
      original = null, sliding = null, gone_at = null, expires_at = excluded.expires_at,
      expiry_bucket = excluded.expiry_bucket, bytes = excluded.bytes, lease = null, lease_until = null;
  else
    delete from ${table} e where e.namespace = ns and e.key = any(_keys);
  end if;
  ${leave(s, '_keys')}
  return query select unnest(removed);
end $body$`
}
