import { FLAG } from '../../flags.js'
import { ATTRIBUTES, needsGroups, nextSeq, rankOf, tally } from '../fragments.js'

/**
 * `queue_add_flow` adds a tree of jobs: `{queue: number, payload: place in _payloads, spec, tolerate, children: [...]}`, with `spec` as `queue_add` takes it. Payloads
 * stand apart, for looking into JSON that holds `\\u0000` is refused. It
 * answers `{id, children: [...]}` of the same shape. A parent stands in `queue_flow` until its last child has ended (`end.ts`).
 */
export function flowFunction(s: string): string {
  return /* sql */ `create function ${s}.queue_add_flow(_node json, _payloads text[], _parent bigint default null) returns json
    ${ATTRIBUTES} as $body$
declare
  number integer := (_node ->> 'queue')::integer;
  spec jsonb := coalesce(nullif((_node -> 'spec')::jsonb, 'null'), '{}');
  children integer := coalesce(json_array_length(_node -> 'children'), 0);
  id bigint;
  child json;
  added json;
  answers json[] := '{}';
begin
  perform pg_current_xact_id();
  if _parent is not null then spec := spec || jsonb_build_object('parent', _parent); end if;
  if children = 0 then
    return json_build_object('id', ${s}.queue_add(number, _payloads[(_node ->> 'payload')::integer], spec), 'children', '[]'::json);
  end if;
  ${needsGroups(s, 'number', 'spec')};
  id := ${nextSeq(s)};
  insert into ${s}.queue_job (id, added_at, queue, rank, flags, payload, attempts, parent, grp, backoff_ms, trace)
  values (id, clock_timestamp(), number, ${rankOf(`coalesce((spec ->> 'priority')::integer, 0)`)},
    ${FLAG.parent} | case when _parent is null then 0 else ${FLAG.child} end | case when spec ? 'group' then ${FLAG.group} else 0 end,
    _payloads[(_node ->> 'payload')::integer]::json, (spec ->> 'attempts')::smallint, _parent, spec ->> 'group', (spec ->> 'backoff')::float8, spec ->> 'trace');
  insert into ${s}.queue_flow (id, queue, pending, ready_at)
  values (id, number, children, case
    when spec ? 'runAt' then to_timestamp((spec ->> 'runAt')::float8 / 1000)
    when spec ? 'delay' then clock_timestamp() + (spec ->> 'delay')::float8 * interval '1 millisecond' end);
  ${tally(s, 'number', { blocked: '1', added: '1' })};
  for child in select c from json_array_elements(_node -> 'children') as c loop
    added := ${s}.queue_add_flow(child, _payloads, id);
    insert into ${s}.queue_child (parent, child, tolerated)
    values (id, (added ->> 'id')::bigint, coalesce((child ->> 'tolerate')::boolean, false));
    answers := answers || added;
  end loop;
  return json_build_object('id', id::text, 'children', array_to_json(answers));
end $body$`
}
