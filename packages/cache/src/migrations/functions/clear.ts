import { literal } from '@howdah/core'
import { ATTRIBUTES } from '../fragments.js'

/**
 * Empties a namespace in no time: its name gets another number, and what lies under the old one becomes garbage. Other namespaces,
 * also those whose names begin with the same letters, are not touched.
 */
export function clearFunction(s: string): string {
  return /* sql */ `create function ${s}.cache_clear(namespace text) returns void
    ${ATTRIBUTES} as $body$
#variable_conflict use_column
declare
  old record;
begin
  perform pg_current_xact_id();
  select n.id, n.logged into old from ${s}.cache_namespace n where n.name = cache_clear.namespace for update;
  if old is null then return; end if;
  update ${s}.cache_namespace n set id = nextval(${literal(`${s}.cache_namespace_id`)})
    where n.name = cache_clear.namespace;
  insert into ${s}.cache_garbage (namespace, logged) values (old.id, old.logged);
  perform ${s}.cache_tell(old.id, null);
end $body$`
}
