import { ATTRIBUTES, nextVersion } from '../fragments.js'

/**
 * Invalidates every entry that carries one of the tags, in time that depends on the number of tags alone.
 *
 * It raises the version of one row of each tag, passing over rows that another transaction holds and adding a row where
 * all are held, so that no transaction waits for another; all rows of a tag count. At REPEATABLE READ it always adds a row, for
 * raising one that changed since would fail.
 */
export function tagFunction(s: string): string {
  return /* sql */ `create function ${s}.cache_invalidate(_namespace text, _tags text[]) returns void
    ${ATTRIBUTES} as $body$
#variable_conflict use_column
declare
  ns integer;
  hashes bigint[];
  raised bigint[];
  alone boolean := current_setting('transaction_isolation') in ('repeatable read', 'serializable');
begin
  perform pg_current_xact_id();
  select n.id into ns from ${s}.cache_namespace n where n.name = _namespace;
  if ns is null then return; end if;
  select array_agg(distinct hashtextextended(tag, 0)) into hashes from unnest(_tags) as tag;
  if not alone then
    with free as materialized (
      select t.hash, t.version from ${s}.cache_tag t
      where t.namespace = ns and t.hash = any(hashes) order by t.hash, t.version for update skip locked
    ), one as (select hash, min(version) as version from free group by hash),
    bumped as (
      -- Drawn once the row is locked, so that its version can only rise.
      update ${s}.cache_tag t set version = ${nextVersion(s)}, xid = pg_current_xact_id(), at = clock_timestamp()
      from one where t.namespace = ns and t.hash = one.hash and t.version = one.version
      returning t.hash
    ) select array_agg(hash) into raised from bumped;
  end if;
  insert into ${s}.cache_tag (namespace, hash, version, xid)
  select ns, h, ${nextVersion(s)}, pg_current_xact_id() from unnest(hashes) as h
  where raised is null or h <> all(raised);
  if alone or (select n.near_until > clock_timestamp() from ${s}.cache_namespace n where n.id = ns) then
    perform ${s}.cache_tell(ns, null);
  end if;
end $body$`
}
