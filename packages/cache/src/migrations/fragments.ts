/**
 * Pieces of SQL that several functions share.
 *
 * Every function that writes takes its transaction id before it looks whether near caches listen. Whoever switches them on
 * waits for all transactions that have an id by then, so no write slips through between.
 */
import { literal } from '@howdah/core'
import type { Family } from './family.js'

/**
 * Attributes of every function: it runs as its caller, finds nothing but what it names, and plans once. With a list of one key in sight the
 * planner would make a plan for just that, at every call (measured: 190 µs for a write of one key, 150 with the general plan).
 */
export const ATTRIBUTES =
  'language plpgsql set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan'

/** Variables that {@link enter} fills. */
export const VARIABLES = /* sql */ `
  ns integer;
  near boolean;
  ver bigint;`

/**
 * Finds the namespace of the parameter `_namespace`, and whether near caches are to be told.
 *
 * A transaction at REPEATABLE READ looks at an old snapshot, so it tells always.
 */
export function enter(s: string, { create, family }: { create: boolean; family: Family }): string {
  const find = /* sql */ `
  select n.id, coalesce(n.near_until > clock_timestamp(), false)
      or current_setting('transaction_isolation') in ('repeatable read', 'serializable')
    into ns, near from ${s}.cache_namespace n where n.name = _namespace`
  return /* sql */ `
  perform pg_current_xact_id();
  ${find};
  if ns is null then
    ${create ? `perform ${s}.cache_open(_namespace, ${family.logged}); ${find};` : 'return;'}
  end if;
  perform set_config('howdah.cache_write', 'on', true);`
}

/**
 * Parameter of the writes that share a statement with others: they wait a tenth of a second for a row that some transaction holds,
 * and fail with SQLSTATE 55P03 then. Alone, or in a transaction of the application's, a write waits as long as it takes.
 */
export const PATIENCE = '_shared boolean default false'

/** Limits the wait of a shared write. */
export const BE_PATIENT = /* sql */ `
  if _shared then perform set_config('lock_timeout', '100ms', true); end if;`

/** Draws a version; they only rise, also over a crash, for the sequence is logged. */
export function nextVersion(s: string): string {
  return `nextval(${literal(`${s}.cache_version`)})`
}

/** Ends what {@link enter} began where nobody is to be told: the trigger that watches for foreign writes watches again. */
export const DONE = /* sql */ `perform set_config('howdah.cache_write', '', true);`

/** Tells near caches of the keys in the variable `changed`, if there are any, and lets the trigger that watches for foreign writes watch again. */
export function leave(s: string, changed: string): string {
  return /* sql */ `
  if near and ${changed} is not null then perform ${s}.cache_tell(ns, ${changed}); end if;
  ${DONE}`
}

/** Condition that the entry `e` has a value that counts: not expired, and no tag of it invalidated. */
export function live(s: string, e: string): string {
  return /* sql */ `(${e}.value is not null
    and (${e}.expires_at is null or ${e}.expires_at > statement_timestamp()) and ${tagged(s, e)})`
}

/** Condition that no tag of the entry `e` was invalidated since it was written. */
export function tagged(s: string, e: string): string {
  return /* sql */ `(${e}.tags is null or (
    ${e}.version > (select n.tag_floor from ${s}.cache_namespace n where n.id = ${e}.namespace)
    and ${e}.tag_sum = ${tagSum(s, `${e}.namespace`, `${e}.tags`)}))`
}

/**
 * What an entry remembers of its tags: it changes with each invalidation. A sum of hashes rather than of versions, which would only
 * rise while no tag is pruned, and could come back to what it was afterwards.
 */
function tagSum(s: string, namespace: string, tags: string): string {
  return /* sql */ `(select coalesce(sum(hashint8extended(t.version, t.hash)), 0) from ${s}.cache_tag t
      where t.namespace = ${namespace} and t.hash = any(${tags}))`
}

/**
 * Orders rows as the tables' keys do, whatever the database's collation: whoever locks several rows does it in this order, so that no
 * two can deadlock.
 */
export function inKeyOrder(key: string): string {
  return `order by ${key} collate "C"`
}

/** Unit separator: between the keys and values of a statement, which hold none. */
export const SEPARATOR = '\x1f'

/** The value as it travels: text as it is, binary after its letters in base64. */
export function carried(e: string): string {
  return /* sql */ `case when ${e}.bin is null then ${e}.value else ${e}.value || encode(${e}.bin, 'base64') end`
}

/** Five minutes that an entry's end falls into. */
export function bucket(end: string): string {
  return `(date_part('epoch', ${end}) / 300)::int`
}

/** Seconds since 2020, which an integer counts until 2088. */
export function seconds(time: string): string {
  return `(date_part('epoch', ${time}) - 1577836800)::int`
}

/** What an entry costs beside key and value: the row's header and columns, and its place in the index. */
export const ROW_BYTES = 140

/**
 * Turns the parameters of a write into rows `i`: n, key, value, bin, expires_at, gone_at, bytes, sliding, tags, original.
 *
 * `_ttls` has one time for each entry, or one for all. `_extras` has for each entry null or what only few need:
 * `{"b": base64, "g": grace in ms, "s": sliding in ms, "t": [tags], "o": original key}`.
 */
export const INPUT: string = /* sql */ `
    select u.n, u.key, u.value, x.bin, x.expires_at, x.expires_at + x.grace as gone_at,
      octet_length(u.key) + octet_length(u.value) + coalesce(octet_length(x.bin), 0) + coalesce(octet_length(x.original), 0)
        + ${ROW_BYTES} as bytes,
      x.sliding, x.tags, x.original
    from unnest(_keys, _values, _ttls) with ordinality as u(key, value, ttl, n)
    cross join lateral (select _extras -> (u.n - 1)::int) as e(extra)
    cross join lateral (
      select statement_timestamp() + case when cardinality(_ttls) = 1 then _ttls[1] else u.ttl end
          * interval '1 millisecond' as expires_at,
        (e.extra ->> 'g')::float8 * interval '1 millisecond' as grace,
        decode(e.extra ->> 'b', 'base64') as bin,
        (e.extra ->> 's')::bigint as sliding,
        e.extra ->> 'o' as original,
        (select array_agg(distinct hashtextextended(tag, 0))
          from jsonb_array_elements_text(e.extra -> 't') as tag) as tags
    ) x`

/** The same for a write without extras, which spares the server looking into JSON for each entry. */
export const PLAIN_INPUT: string = /* sql */ `
    select u.n, u.key, u.value, null::bytea as bin, x.expires_at, null::timestamptz as gone_at,
      octet_length(u.key) + octet_length(u.value) + ${ROW_BYTES} as bytes,
      null::bigint as sliding, null::bigint[] as tags, null::text as original
    from unnest(_keys, _values, _ttls) with ordinality as u(key, value, ttl, n)
    cross join lateral (
      select statement_timestamp() + case when cardinality(_ttls) = 1 then _ttls[1] else u.ttl end
        * interval '1 millisecond' as expires_at
    ) x`

/** Assignments that make an entry what the input row says. */
export function assignments(source: string): string {
  return /* sql */ `value = ${source}.value, bin = ${source}.bin, version = ${source}.version,
      expires_at = ${source}.expires_at, gone_at = ${source}.gone_at, expiry_bucket = ${source}.expiry_bucket,
      accessed = ${source}.accessed, bytes = ${source}.bytes, sliding = ${source}.sliding,
      tags = ${source}.tags, tag_sum = ${source}.tag_sum, original = ${source}.original, lease = null, lease_until = null`
}

/** Columns of an entry, in the order in which {@link rowOf} gives them. */
export const COLUMNS = `namespace, key, version, expires_at, gone_at, expiry_bucket, accessed, bytes, value, bin, sliding, tags, tag_sum, original`

/** An entry made of the input row `i`. */
export function rowOf(s: string): string {
  return /* sql */ `ns, i.key, ver, i.expires_at, i.gone_at, ${bucket('coalesce(i.gone_at, i.expires_at)')},
      ${seconds('statement_timestamp()')}, i.bytes, i.value, i.bin, i.sliding, i.tags,
      case when i.tags is not null then ${tagSum(s, 'ns', 'i.tags')} end, i.original`
}
