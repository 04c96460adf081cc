import { literal } from '@howdah/core'
import { HUB_KIND, JSON_FORM, SPILLED_FORM } from '../../channel/form.js'
import { MAX_NAME } from '../../options.js'
import { pruned } from '../../sql/spill.js'

/** More is spilled: what is left of the hub's mebibyte is for the channel's name, of which JSON may make six times as much. */
const INLINE_BYTES = 1024 * 1024 - 6 * MAX_NAME - 1024

const COMMENT =
  'Publishes a message on a channel of @howdah/pubsub: subscribers hear it when the transaction commits, and not at all when it rolls back. Any size and any name that text can be.'

/** `publish(channel, payload)` for triggers, psql and other languages. It checks what it is given as `Channel.publish` does. */
export function publishFunction(s: string): string[] {
  return [
    /* sql */ `create function ${s}.publish(channel text, payload jsonb) returns void
    language plpgsql set search_path = pg_catalog, pg_temp as $body$
declare
  message text := payload::text;
  spilled uuid;
begin
  if channel is null or length(channel) not between 1 and ${MAX_NAME} then
    raise invalid_parameter_value using message = 'A channel''s name must be text of 1 to ${MAX_NAME} characters.';
  end if;
  if message is null then
    raise invalid_parameter_value using message = 'A message must be JSON. Write ''null''::jsonb for nothing to say.';
  end if;
  if octet_length(message) <= ${INLINE_BYTES} then
    perform ${s}.hub_post('${HUB_KIND}', '${JSON_FORM}' || channel, message);
  else
    with stale as (${pruned(s)})
    insert into ${s}.pubsub_spill (id, json) values (gen_random_uuid(), message) returning id into spilled;
    perform ${s}.hub_post('${HUB_KIND}', '${SPILLED_FORM}' || channel, to_json(spilled)::text);
  end if;
end $body$`,
    /* sql */ `comment on function ${s}.publish(text, jsonb) is ${literal(COMMENT)}`,
  ]
}
