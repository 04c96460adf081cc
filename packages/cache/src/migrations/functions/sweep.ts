import { entryTable, FAMILIES, type Family } from '../family.js'
import { ATTRIBUTES } from '../fragments.js'

/** How long a cleared namespace is looked at, for a transaction that began before may still write to it. */
const GARBAGE_LASTS = '1 hour'

/** How long a tag is remembered at least that was invalidated. */
const TAGS_LAST = '7 days'
/** No transaction that invalidates a tag or writes an entry is taken to last longer. */
const LONGEST_TRANSACTION = '1 day'

/**
 * Removes what nobody can see any more, at most `batch` entries of a kind, and answers how many: expired ones, once the five minutes
 * they expired in are over, those of cleared namespaces, and tags invalidated long ago. It passes over rows that someone is writing. Call it from
 * pg_cron where no process with a cache runs for long.
 */
export function sweepFunctions(s: string): string[] {
  return [
    ...FAMILIES.map((family) => sweepFamily(s, family)),
    sweepTags(s),
    /* sql */ `create function ${s}.cache_sweep(batch integer default 1000) returns integer
    ${ATTRIBUTES} as $body$
declare
  swept integer;
begin
  perform set_config('howdah.cache_write', 'on', true);
  swept := ${FAMILIES.map(({ suffix }) => `${s}.cache_sweep_family${suffix}(batch)`).join(' + ')}
    + ${s}.cache_sweep_tags(batch);
  perform set_config('howdah.cache_write', '', true);
  return swept;
end $body$`,
  ]
}

function sweepFamily(s: string, family: Family): string {
  const table = entryTable(s, family)
  return /* sql */ `create function ${s}.cache_sweep_family${family.suffix}(batch integer) returns integer
    ${ATTRIBUTES} as $body$
declare
  expired integer;
  cleared integer;
begin
  -- What is being loaded anew stays: its row holds the lease.
  with over as materialized (
    select e.namespace, e.key from ${table} e
    where e.expiry_bucket < floor(extract(epoch from statement_timestamp()) / 300)::int - 1
      and (e.lease_until is null or e.lease_until < statement_timestamp())
    order by e.expiry_bucket limit batch for update skip locked
  )
  delete from ${table} e using over o where e.namespace = o.namespace and e.key = o.key;
  get diagnostics expired = row_count;
  with over as materialized (
    select e.namespace, e.key from ${s}.cache_garbage g, lateral (
      select e.namespace, e.key from ${table} e where e.namespace = g.namespace limit batch for update skip locked
    ) e where g.logged = ${family.logged} limit batch
  )
  delete from ${table} e using over o where e.namespace = o.namespace and e.key = o.key;
  get diagnostics cleared = row_count;
  if cleared < batch then
    with over as materialized (
      select g.namespace from ${s}.cache_garbage g
      where g.logged = ${family.logged} and g.cleared_at < statement_timestamp() - interval '${GARBAGE_LASTS}'
        and not exists (select 1 from ${table} e where e.namespace = g.namespace)
      for update skip locked
    ), tags as (
      delete from ${s}.cache_tag t using over o where t.namespace = o.namespace
    )
    delete from ${s}.cache_garbage g using over o where g.namespace = o.namespace;
  end if;
  return expired + cleared;
end $body$`
}

/**
 * Forgets tags that were invalidated long ago. An entry that was written before such a tag was invalidated must not come back, so the
 * floor of its namespace rises to a version that was drawn a day later: no entry above it was written by a transaction that
 * did not see the invalidation. Tagged entries below the floor are over, which is a miss for those that were still good.
 */
function sweepTags(s: string): string {
  return /* sql */ `create function ${s}.cache_sweep_tags(batch integer) returns integer
    ${ATTRIBUTES} as $body$
declare
  mark record;
  pruned integer;
begin
  select t.version, t.at into mark from ${s}.cache_tag t
    where t.at < statement_timestamp() - interval '${TAGS_LAST}' order by t.at desc limit 1;
  if mark is null then return 0; end if;
  with old as materialized (
    select t.namespace, t.hash, t.version from ${s}.cache_tag t
    where t.at < mark.at - interval '${LONGEST_TRANSACTION}' order by t.at limit batch for update skip locked
  ), space as materialized (
    select n.id from ${s}.cache_namespace n where n.id in (select o.namespace from old o)
    order by n.id for no key update skip locked
  ), raised as (
    update ${s}.cache_namespace n set tag_floor = greatest(n.tag_floor, mark.version)
    from space where n.id = space.id
  )
  delete from ${s}.cache_tag t using old o
  where t.namespace = o.namespace and t.hash = o.hash and t.version = o.version
    and (o.namespace in (select space.id from space)
      or not exists (select from ${s}.cache_namespace n where n.id = o.namespace));
  get diagnostics pruned = row_count;
  return pruned;
end $body$`
}
