import { entryTable, type Family } from '../family.js'
import {
  ATTRIBUTES,
  assignments,
  bucket,
  COLUMNS,
  carried,
  DONE,
  enter,
  INPUT,
  inKeyOrder,
  leave,
  live,
  nextVersion,
  ROW_BYTES,
  rowOf,
  seconds,
  tagged,
  VARIABLES,
} from '../fragments.js'

/** How long one of these functions waits for a row that a transaction holds. What it cannot have by then is busy. */
const LEASE_PATIENCE = '20ms'

/**
 * Who loads a value holds the lease of its entry; all other writes end the lease, and with it the right to store what was loaded.
 *
 * - `cache_lease` answers for each key one of: `value`, there is one by now; `lease`, load it, `token` is yours; `busy`, someone else
 *   does. A value whose time is over but not its grace comes along.
 * - `cache_fill` stores what was loaded under a lease that still holds, and whose tags were not invalidated since: by a transaction that
 *   the lease's snapshot does not show. It answers the keys stored.
 * - `cache_release` ends leases whose load failed; `cache_renew` prolongs those of loads that last.
 *
 * None waits for a transaction that writes the same key: that would hold up a whole batch.
 */
export function leaseFunctions(s: string, family: Family): string[] {
  const table = entryTable(s, family)
  const { suffix } = family
  const version = nextVersion(s)
  const patience = `perform set_config('lock_timeout', '${LEASE_PATIENCE}', true);`
  return [
    /* sql */ `create function ${s}.cache_lease${suffix}(_namespace text, _keys text[], _ms float8)
    returns table(key text, state text, token text, snapshot text, value text) ${ATTRIBUTES} as $body$
#variable_conflict use_column
declare ${VARIABLES}
  entry record;
  end_at timestamptz;
  taken bigint;
begin ${enter(s, { create: true, family })}
  ${patience}
  snapshot := pg_current_snapshot()::text;
  for key in select k from unnest(_keys) as k ${inKeyOrder('k')} loop
    begin
      state := 'busy'; token := null; value := null; taken := null;
      select ${live(s, 'e')} as live, e.lease_until > clock_timestamp() as leased,
        case when e.value is not null and ${tagged(s, 'e')}
            and (e.expires_at is null or coalesce(e.gone_at, e.expires_at) > statement_timestamp())
          then ${carried('e')} end as carried
      into entry from ${table} e where e.namespace = ns and e.key = cache_lease${suffix}.key for update;
      value := entry.carried;
      if entry.live then
        state := 'value';
      elsif entry.leased is not true then
        end_at := clock_timestamp() + _ms * interval '1 millisecond';
        -- Where nothing was found, a transaction may just have committed a value.
        insert into ${table} as e (namespace, key, version, expires_at, expiry_bucket, accessed, bytes, lease, lease_until)
        values (ns, cache_lease${suffix}.key, 0, end_at, ${bucket('end_at')}, ${seconds('end_at')},
          octet_length(cache_lease${suffix}.key) + ${ROW_BYTES}, ${version}, end_at)
        on conflict (namespace, key) do update set lease = excluded.lease, lease_until = excluded.lease_until
          where (e.lease_until is null or e.lease_until <= clock_timestamp()) and not ${live(s, 'e')}
        returning e.lease into taken;
        if taken is not null then state := 'lease'; token := taken::text; end if;
      end if;
    exception when lock_not_available then null;
    end;
    return next;
  end loop;
  ${DONE}
end $body$`,
    /* sql */ `create function ${s}.cache_fill${suffix}(_namespace text, _keys text[], _tokens bigint[], _snapshots text[],
      _values text[], _ttls float8[], _extras jsonb default null)
    returns setof text ${ATTRIBUTES} as $body$
#variable_conflict use_column
declare ${VARIABLES}
  row record;
  stored text[] := '{}';
begin ${enter(s, { create: false, family })}
  ${patience}
  ver := ${version};
  for row in select i.n, r.* from (${INPUT}) i, lateral (select ${rowOf(s)}) as r(${COLUMNS}) ${inKeyOrder('i.key')} loop
    begin
      update ${table} e set ${assignments('row')}
      where e.namespace = ns and e.key = row.key and e.lease = _tokens[row.n]
        and not exists (select 1 from ${s}.cache_tag t where t.namespace = ns and t.hash = any(row.tags)
          and not pg_visible_in_snapshot(t.xid, _snapshots[row.n]::pg_snapshot));
      if found then stored := stored || row.key; end if;
    exception when lock_not_available then null;
    end;
  end loop;
  if stored <> '{}' then ${leave(s, 'stored')} else ${DONE} end if;
  return query select unnest(stored);
end $body$`,
    /* sql */ `create function ${s}.cache_release${suffix}(_namespace text, _keys text[], _tokens bigint[]) returns void
    ${ATTRIBUTES} as $body$
#variable_conflict use_column
declare ${VARIABLES}
begin ${enter(s, { create: false, family })}
  with held as materialized (
    select e.key, e.value is null as empty from ${table} e
    where e.namespace = ns and e.key = any(_keys) and e.lease = any(_tokens) order by e.key for update skip locked
  ), ended as (
    update ${table} e set lease = null, lease_until = null from held h
    where e.namespace = ns and e.key = h.key and not h.empty
  )
  delete from ${table} e using held h where e.namespace = ns and e.key = h.key and h.empty;
  ${DONE}
end $body$`,
    /* sql */ `create function ${s}.cache_renew${suffix}(_namespace text, _keys text[], _tokens bigint[], _ms float8) returns void
    ${ATTRIBUTES} as $body$
#variable_conflict use_column
declare ${VARIABLES}
  end_at timestamptz := statement_timestamp() + _ms * interval '1 millisecond';
begin ${enter(s, { create: false, family })}
  with held as materialized (
    select e.key from ${table} e
    where e.namespace = ns and e.key = any(_keys) and e.lease = any(_tokens) order by e.key for update skip locked
  )
  update ${table} e set lease_until = end_at,
    expires_at = case when e.value is null then end_at else e.expires_at end,
    expiry_bucket = case when e.value is null then ${bucket('end_at')} else e.expiry_bucket end
  from held h where e.namespace = ns and e.key = h.key;
  ${DONE}
end $body$`,
  ]
}
