import { ATTRIBUTES } from '../fragments.js'

/** Keys whose JSON is longer are not listed: near caches then forget the whole namespace. A notification holds 7999 bytes. */
const MAX_LISTED_BYTES = 7000

/**
 * Tells near caches, once the transaction commits, to forget keys of a namespace, or all of it where `_keys` is null.
 *
 * The trigger tells them to forget everything when a statement that is not one of ours writes to the table.
 */
export function tellFunctions(s: string): string[] {
  return [
    /* sql */ `create function ${s}.cache_tell(_namespace integer, _keys text[]) returns void
    ${ATTRIBUTES} as $body$
declare
  listed jsonb := to_jsonb(_keys);
begin
  if octet_length(listed::text) > ${MAX_LISTED_BYTES} then listed := null; end if;
  perform ${s}.hub_tell('cache', _namespace::text, listed);
end $body$`,
    /* sql */ `create function ${s}.cache_foreign_write() returns trigger
    ${ATTRIBUTES} as $body$
begin
  perform ${s}.hub_tell('cache', '*');
  return null;
end $body$`,
  ]
}

export function tellTrigger(s: string, table: string): string {
  return /* sql */ `create trigger cache_foreign_write
    after insert or update or delete or truncate on ${table} for each statement
    when (current_setting('howdah.cache_write', true) is distinct from 'on')
    execute function ${s}.cache_foreign_write()`
}
