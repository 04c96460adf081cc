import { channelOf } from '../hub/channel.js'
import { literal, unquoted } from '../ident.js'
import type { Migration } from '../migrator/migration.js'

/**
 * Lets SQL say something to the hub: `hub_tell(kind, name, payload)` sends one message with the transaction it is called in. It is
 * what functions and triggers of the packages use; a message of more than one notification is refused, for SQL has no need of it.
 */
export const hubTell: Migration = {
  version: 2,
  name: 'hub-tell',
  up: (s) => [
    /* sql */ `create function ${s}.hub_tell(kind text, name text, payload jsonb default null) returns void
      language plpgsql set search_path = pg_catalog, pg_temp as ${literal(tell(s))}`,
  ],
  down: (s) => [`drop function ${s}.hub_tell(text, text, jsonb)`],
}

function tell(s: string): string {
  return /* sql */ `
declare
  message json := case when payload is null then json_build_array(kind, name) else json_build_array(kind, name, payload) end;
  envelope text := json_build_array(1, 'sql', 0, json_build_array(message))::text;
begin
  if octet_length(envelope) > 7999 then
    raise program_limit_exceeded using message = 'A message from SQL must fit one notification of 7999 bytes.';
  end if;
  perform ${s}.hub_send(${literal(channelOf(unquoted(s)))}, array[envelope]);
end`
}
