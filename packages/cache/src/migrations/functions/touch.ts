import { entryTable, type Family } from '../family.js'
import {
  ATTRIBUTES,
  BE_PATIENT,
  bucket,
  DONE,
  enter,
  leave,
  live,
  PATIENCE,
  seconds,
  VARIABLES,
} from '../fragments.js'

/**
 * - `cache_touch` gives live entries another time to live (null for ever) and answers their keys. What was to be served after
 *   the end stays so for as long.
 * - `cache_slide` prolongs entries of sliding expiry, but only where a tenth of their time has passed, for each is a write.
 * - `cache_seen` notes that entries were read, to the half minute, passing over those that someone writes.
 */
export function touchFunctions(s: string, family: Family): string[] {
  const table = entryTable(s, family)
  const set = (end: string) => /* sql */ `expires_at = ${end},
      gone_at = ${end} + (e.gone_at - e.expires_at),
      expiry_bucket = ${bucket(`coalesce(${end} + (e.gone_at - e.expires_at), ${end})`)}`
  return [
    /* sql */ `create function ${s}.cache_touch${family.suffix}(_namespace text, _keys text[], _ttls float8[], ${PATIENCE})
    returns setof text ${ATTRIBUTES} as $body$
#variable_conflict use_column
declare ${VARIABLES}
  touched text[];
begin ${enter(s, { create: false, family })} ${BE_PATIENT}
  with locked as materialized (
    select e.key from ${table} e where e.namespace = ns and e.key = any(_keys) order by e.key for update
  ), w as (
    update ${table} e set ${set('i.end_at')}
    from locked l join (
      select u.key, statement_timestamp() + u.ttl * interval '1 millisecond' from unnest(_keys, _ttls) as u(key, ttl)
    ) as i(key, end_at) on i.key = l.key
    where e.namespace = ns and e.key = l.key and ${live(s, 'e')}
    returning e.key
  ) select array_agg(w.key) into touched from w;
  ${leave(s, 'touched')}
  return query select unnest(touched);
end $body$`,
    /* sql */ `create function ${s}.cache_slide${family.suffix}(_namespace text, _keys text[]) returns void
    ${ATTRIBUTES} as $body$
#variable_conflict use_column
declare ${VARIABLES}
begin ${enter(s, { create: false, family })}
  with due as materialized (
    select e.key, statement_timestamp() + e.sliding * interval '1 millisecond' as end_at from ${table} e
    where e.namespace = ns and e.key = any(_keys)
      and e.expires_at < statement_timestamp() + 0.9 * e.sliding * interval '1 millisecond' and ${live(s, 'e')}
    order by e.key for update of e skip locked
  )
  update ${table} e set ${set('due.end_at')} from due where e.namespace = ns and e.key = due.key;
  ${DONE}
end $body$`,
    /* sql */ `create function ${s}.cache_seen${family.suffix}(_namespace text, _keys text[]) returns void
    ${ATTRIBUTES} as $body$
#variable_conflict use_column
declare ${VARIABLES}
begin ${enter(s, { create: false, family })}
  with due as materialized (
    select e.key from ${table} e where e.namespace = ns and e.key = any(_keys)
      and e.accessed < ${seconds('statement_timestamp()')} - 30
    order by e.key for update skip locked
  )
  update ${table} e set accessed = ${seconds('statement_timestamp()')}
  from due where e.namespace = ns and e.key = due.key;
  ${DONE}
end $body$`,
  ]
}
