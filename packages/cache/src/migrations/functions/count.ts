import { entryTable, type Family } from '../family.js'
import {
  ATTRIBUTES,
  BE_PATIENT,
  bucket,
  COLUMNS,
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

/** Largest integer that JavaScript keeps exact. */
const MAX_SAFE = Number.MAX_SAFE_INTEGER

/**
 * Adds to counters and answers those that it could add to, with their new value. A counter that is not there starts at zero, with
 * the time to live given; one that is there keeps its own. A value that is no integer, or would leave what JavaScript counts
 * exactly, is left as it is and not answered.
 */
export function countFunction(s: string, family: Family): string {
  const table = entryTable(s, family)
  const isLive = live(s, 'e')
  const sum = `substr(e.value, 2)::numeric + substr(excluded.value, 2)::numeric`
  const keep = (column: string) =>
    `${column} = case when ${isLive} then e.${column} else excluded.${column} end`
  return /* sql */ `create function ${s}.cache_count${family.suffix}(_namespace text, _keys text[], _deltas bigint[], _ttls float8[],
      _originals text[], ${PATIENCE})
    returns table(key text, count text) ${ATTRIBUTES} as $body$
#variable_conflict use_column
declare ${VARIABLES}
begin ${enter(s, { create: true, family })} ${BE_PATIENT}
  ver := ${nextVersion(s)};
  return query
    insert into ${table} as e (${COLUMNS})
    select ns, u.key, ver, x.end_at, null, ${bucket('x.end_at')}, ${seconds('statement_timestamp()')},
      octet_length(u.key) + coalesce(octet_length(u.original), 0) + ${ROW_BYTES + 8}, 'n' || u.delta, null, null, null, null, u.original
    from unnest(_keys, _deltas, _ttls, _originals) as u(key, delta, ttl, original)
    cross join lateral (select statement_timestamp() + u.ttl * interval '1 millisecond') as x(end_at)
    ${inKeyOrder('u.key')}
    on conflict (namespace, key) do update set
      value = case when ${isLive} then 'n' || (${sum}) else excluded.value end,
      version = excluded.version, accessed = excluded.accessed, bytes = excluded.bytes, original = excluded.original,
      lease = null, lease_until = null, bin = null,
      ${['expires_at', 'gone_at', 'expiry_bucket', 'sliding', 'tags', 'tag_sum'].map(keep).join(', ')}
    where not ${isLive} or case when e.value ~ '^[jn]-?[0-9]{1,16}$' then abs(${sum}) <= ${MAX_SAFE} else false end
    returning e.key, substr(e.value, 2);
  ${leave(s, '_keys')}
end $body$`
}
