import { entryTable, FAMILIES, type Family } from '../family.js'
import { ATTRIBUTES } from '../fragments.js'

/** How long a cleared namespace is looked at, for a transaction that began before may still write to it. */
const GARBAGE_LASTS = '1 hour'

/**
 * Removes what nobody can see any more, at most `batch` entries of a kind, and answers how many: expired ones, once the five minutes
 * they expired in are over, and those of cleared namespaces. It passes over rows that someone is writing. Call it from
 * pg_cron where no process with a cache runs for long.
 */
export function sweepFunctions(s: string): string[] {
  return [
    ...FAMILIES.map((family) => sweepFamily(s, family)),
    /* sql */ `create function ${s}.cache_sweep(batch integer default 1000) returns integer
    ${ATTRIBUTES} as $body$
declare
  swept integer;
begin
  perform set_config('howdah.cache_write', 'on', true);
  swept := ${FAMILIES.map(({ suffix }) => `${s}.cache_sweep_family${suffix}(batch)`).join(' + ')};
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
