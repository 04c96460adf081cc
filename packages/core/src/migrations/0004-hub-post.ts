import { channelOf } from '../hub/channel.js'
import { MAX_NOTIFICATION_BYTES } from '../hub/envelope.js'
import { MAX_MESSAGE_BYTES } from '../hub/message.js'
import { literal, unquoted } from '../ident.js'
import type { Migration } from '../migrator/migration.js'

/** Bytes of text in a part; the header takes 48 at most, and a character is not cut. */
const PART_BYTES = MAX_NOTIFICATION_BYTES - 48

/**
 * `hub_keep(notifications)` keeps what is sent for processes that poll. The hub's own statement calls it where there are any, and does the rest of
 * `hub_send` in plain SQL: measured on PostgreSQL 18, a function of plpgsql takes 30 microseconds in each statement of a session that has rested.
 *
 * Lets SQL send to the hub what is to be received each on its own, up to a mebibyte: `hub_post(kind, name, payload)`, where the payload is JSON.
 * It goes out with the transaction it is called in. Equal bells of `hub_tell` in one transaction become one, which is what they are for; equal messages
 * must not, so that each has an id here.
 */
export const hubPost: Migration = {
  version: 4,
  name: 'hub-post',
  up: (s) => [
    /* sql */ `create function ${s}.hub_keep(notifications text[]) returns void
      language sql set search_path = pg_catalog, pg_temp as ${literal(keep(s))}`,
    /* sql */ `create function ${s}.hub_post(kind text, name text, payload text) returns void
      language plpgsql set search_path = pg_catalog, pg_temp as ${literal(post(s))}`,
  ],
  down: (s) => [
    `drop function ${s}.hub_post(text, text, text)`,
    `drop function ${s}.hub_keep(text[])`,
  ],
}

function keep(s: string): string {
  return /* sql */ `
insert into ${s}.hub_message (payloads, bytes)
values (notifications, octet_length(array_to_string(notifications, '')))`
}

/** The envelope of version 1, cut as `toNotifications` cuts it. */
function post(s: string): string {
  return /* sql */ `
declare
  id text := replace(gen_random_uuid()::text, '-', '');
  hub text := 'sql-' || substr(id, 1, 8);
  seq bigint := ('x' || substr(id, 20))::bit(52)::bigint;
  message text := format('[%s,%s,%s]', to_json(kind), to_json(name), payload);
  envelope text := format('[1,"%s",%s,[%s]]', hub, seq, message);
  bytes bytea;
  slices text[] := '{}';
  start integer := 0;
  stop integer;
begin
  if octet_length(message) > ${MAX_MESSAGE_BYTES} then
    raise program_limit_exceeded using message = format('A message may take ${MAX_MESSAGE_BYTES} bytes, and this takes %s.', octet_length(message));
  end if;
  if octet_length(envelope) <= ${MAX_NOTIFICATION_BYTES} then
    slices := array[envelope];
  else
    bytes := convert_to(envelope, 'UTF8');
    while start < octet_length(bytes) loop
      stop := least(start + ${PART_BYTES}, octet_length(bytes));
      while stop < octet_length(bytes) and get_byte(bytes, stop) & 192 = 128 loop stop := stop - 1; end loop;
      slices := slices || convert_from(substr(bytes, start + 1, stop - start), 'UTF8');
      start := stop;
    end loop;
    slices := array(select format('~%s.%s.%s.%s~%s', hub, seq, n - 1, cardinality(slices), slice)
      from unnest(slices) with ordinality as u (slice, n) order by n);
  end if;
  perform ${s}.hub_send(${literal(channelOf(unquoted(s)))}, slices);
end`
}
