import { entryTable, FAMILIES } from '../family.js'
import { ATTRIBUTES, live } from '../fragments.js'

/** Keys longer than this are kept as a digest; the same number stands in key.ts. */
const MAX_KEY_BYTES = 512

/**
 * What psql, triggers and other languages call. Values are `jsonb`; the TypeScript API reads what they write, and the other way
 * round.
 */
export function sqlApi(s: string): string[] {
  const logged = /* sql */ `coalesce((select n.logged from ${s}.cache_namespace n where n.name = namespace), false)`
  const either = (call: (suffix: string) => string) =>
    /* sql */ `if ${logged} then ${call('_logged')}; else ${call('')}; end if;`
  return [
    /* sql */ `create function ${s}.cache_key(key text) returns text language sql immutable strict parallel safe
    set search_path = pg_catalog, pg_temp as $body$
  select case when octet_length(key) between 1 and ${MAX_KEY_BYTES} and not starts_with(key, '#') and strpos(key, E'\\x1f') = 0 then key
    else '#' || rtrim(translate(encode(sha256(convert_to(key, 'UTF8')), 'base64'), '+/', '-_'), '=') end
$body$`,
    /* sql */ `create function ${s}.cache_set(namespace text, key text, "value" jsonb, ttl interval default null, tags text[] default null)
    returns void ${ATTRIBUTES} as $body$
declare
  stored text := ${s}.cache_key(key);
  extra jsonb := nullif(jsonb_strip_nulls(jsonb_build_object('t', to_jsonb(tags),
    'o', case when stored <> key then to_json(key)::text end)), '{}');
  ms float8 := extract(epoch from ttl) * 1000;
  extras jsonb := case when extra is not null then jsonb_build_array(extra) end;
begin
  if ms <= 0 then
    raise invalid_parameter_value using message = 'The time to live of a cache entry must be longer than nothing.';
  end if;
  ${either((suffix) => `perform ${s}.cache_put${suffix}(namespace, array[stored], array['j' || coalesce("value", 'null')::text], array[ms], extras)`)}
end $body$`,
    /* sql */ `create function ${s}.cache_get(namespace text, key text) returns jsonb
    language plpgsql stable set search_path = pg_catalog, pg_temp as $body$
declare
  found record;
begin
  ${FAMILIES.map(
    (family) => /* sql */ `
  select e.value, e.bin into found from ${entryTable(s, family)} e
    where e.namespace = (select n.id from ${s}.cache_namespace n where n.name = cache_get.namespace and n.logged = ${family.logged})
      and e.key = ${s}.cache_key(cache_get.key) and ${live(s, 'e')};
  if found.value is not null then return ${s}.cache_json(found.value, found.bin); end if;`,
  ).join('')}
  return null;
end $body$`,
    /* sql */ `create function ${s}.cache_json("value" text, bin bytea) returns jsonb language sql immutable parallel safe
    set search_path = pg_catalog, pg_temp as $body$
  select case left("value", 1)
    when 'j' then substr("value", 2)::jsonb
    when 's' then to_jsonb(substr("value", 2))
    when 'n' then case when "value" ~ '^n-?[0-9]' then to_jsonb(substr("value", 2)::numeric) end
    when 'i' then to_jsonb(substr("value", 2)::numeric)
    when 'd' then case when "value" ~ '^d-?[0-9]+$' then to_jsonb(to_timestamp(substr("value", 2)::numeric / 1000)) end
    when 'b' then to_jsonb(encode(bin, 'base64'))
  end
$body$`,
    /* sql */ `create function ${s}.cache_delete(namespace text, key text) returns boolean
    ${ATTRIBUTES} as $body$
declare
  stored text[] := array[${s}.cache_key(key)];
begin
  if ${logged} then return exists (select 1 from ${s}.cache_remove_logged(namespace, stored)); end if;
  return exists (select 1 from ${s}.cache_remove(namespace, stored));
end $body$`,
    /* sql */ `create function ${s}.cache_invalidate_tags(namespace text, variadic tags text[]) returns void
    ${ATTRIBUTES} as $body$
begin
  perform ${s}.cache_invalidate(namespace, tags);
end $body$`,
  ]
}
