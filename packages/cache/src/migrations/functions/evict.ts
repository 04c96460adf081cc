import { literal } from '@howdah/core'
import { entryTable, type Family } from '../family.js'
import { ATTRIBUTES, DONE, enter, VARIABLES } from '../fragments.js'

/** Blocks of the table that one look reads, at most. */
const SAMPLE_BLOCKS = 500
/**
 * A namespace of no more entries is counted rather than estimated: the rows of a small one lie together in few blocks, which a sample of
 * the whole table hits or misses: with 2,000 here, a namespace of 30,000 entries among 130,000 came to rest a fifth above its limit.
 */
const COUNTED = 20_000

/**
 * - `cache_usage` answers how many entries and bytes a namespace has: counted while there are few, else estimated from a sample of
 *   the table's blocks, so that it costs the same at any size.
 * - `cache_evict` brings a namespace nearer to its limits and answers how many entries it removed and how many remain: of a
 *   sample it removes those not used for longest, expired ones first, and a fiftieth more, so that not every write brings it over
 *   the limit. Call it again while it removes any. One process at a time
 *   does it; others are answered nothing.
 *
 * @see https://redis.io/docs/latest/develop/reference/eviction/ for approximate LRU by sampling
 */
export function evictFunctions(s: string, family: Family): string[] {
  const table = entryTable(s, family)
  const { suffix } = family
  return [
    /* sql */ `create function ${s}.cache_usage${suffix}(_namespace text)
    returns table(entries double precision, bytes double precision, share double precision) ${ATTRIBUTES} as $body$
#variable_conflict use_column
declare
  ns integer;
  blocks double precision := pg_relation_size(${literal(table)}::regclass) / current_setting('block_size')::int;
begin
  select n.id into ns from ${s}.cache_namespace n where n.name = _namespace;
  share := 1;
  select count(*), coalesce(sum(e.bytes), 0) into entries, bytes
    from (select e.bytes from ${table} e where e.namespace = ns limit ${COUNTED}) e;
  if entries = ${COUNTED} then
    share := least(1, ${SAMPLE_BLOCKS} / greatest(blocks, 1));
    select count(*) / share, coalesce(sum(e.bytes), 0) / share into entries, bytes
      from ${table} e tablesample system (share * 100) where e.namespace = ns;
  end if;
  return next;
end $body$`,
    /* sql */ `create function ${s}.cache_evict${suffix}(_namespace text, _max_entries float8, _max_bytes float8)
    returns table(evicted int, entries double precision, bytes double precision) ${ATTRIBUTES} as $body$
#variable_conflict use_column
declare ${VARIABLES}
  used record;
  excess double precision;
begin ${enter(s, { create: false, family })}
  if not pg_try_advisory_xact_lock(hashtext(${literal(`${s}.cache_evict`)}), ns) then
    ${DONE}
    return;
  end if;
  select * into used from ${s}.cache_usage${suffix}(_namespace);
  entries := used.entries; bytes := used.bytes; evicted := 0;
  excess := 1 - least(_max_entries / nullif(entries, 0), _max_bytes / nullif(bytes, 0));
  if excess > 0 then
    -- Of a sample only the quarter that is oldest, for the others may be younger than those that were not looked at.
    excess := least(excess, case when used.share < 1 then 0.25 else 1 end);
    if used.share < 1 then ${evict(table, `${table} e tablesample system (used.share * 100)`)}
    else ${evict(table, `${table} e`)}
    end if;
    entries := entries - evicted;
  end if;
  ${DONE}
  return next;
end $body$`,
  ]
}

/**
 * Removes what is to go; what is being loaded stays, for its row holds the lease. Rows are found by their place, which no planner
 * turns into a scan of the table.
 */
function evict(table: string, sample: string): string {
  return /* sql */ `
      with sampled as materialized (
        select e.ctid as at, e.accessed, e.expires_at <= statement_timestamp() as over
        from ${sample} where e.namespace = ns and (e.lease_until is null or e.lease_until < statement_timestamp())
      ), victim as materialized (
        select at from sampled order by over desc nulls last, accessed
        limit (select ceil(count(*) * excess) + floor(count(*) * 0.02) from sampled)
      ), locked as materialized (
        select e.ctid as at from ${table} e where e.ctid = any(array(select at from victim)) for update skip locked
      )
      delete from ${table} e where e.ctid = any(array(select at from locked));
      get diagnostics evicted = row_count;`
}
