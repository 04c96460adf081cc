import { literal } from '@howdah/core'
import { FLAG } from '../../flags.js'
import {
  ATTRIBUTES,
  asleep,
  needsGroups,
  nextSeq,
  rankOf,
  SEPARATOR,
  tally,
  tell,
  wake,
} from '../fragments.js'

/** Payloads of one parameter as rows `p(payload, n)`. */
const PAYLOADS = `unnest(string_to_array(_payloads, ${literal(SEPARATOR)})) with ordinality as p(payload, n)`

/**
 * `queue_add` is how jobs come in. Its parameter `_spec` is null where all is as usual, an object for all payloads, or an array with an
 * object for each: `{priority, delay, runAt, attempts, backoff, expireAfter, group, trace, parent, key: {id, keepFor, throttle,
 * debounce}}`, times in milliseconds, `runAt` since the epoch.
 *
 * It takes its transaction's id before it draws a number; `seal.ts` says why.
 */
export function addFunctions(s: string): string[] {
  return [addAlike(s), addKeyed(s), add(s)]
}

/** Adds jobs that share all options and have no key: two inserts, however many. A single one may be given its id. */
function addAlike(s: string): string {
  return /* sql */ `create function ${s}.queue_add_alike(_queue integer, _payloads text, _spec jsonb, _id bigint, out _ids text) returns text
    ${ATTRIBUTES} as $body$
declare
  rank integer := 0;
  flags smallint := 0;
  run_at timestamptz;
  due timestamptz := statement_timestamp();
  added integer;
begin
  perform pg_current_xact_id();
  ${needsGroups(s, '_queue', '_spec')};
  rank := ${rankOf(`coalesce((_spec ->> 'priority')::integer, 0)`)};
  run_at := ${runAt('_spec')};
  due := coalesce(run_at, due);
  if run_at <= clock_timestamp() then run_at := null; end if;
  flags := ${flagsOf('_spec')};
  with input as materialized (
    select coalesce(_id, ${nextSeq(s)}) as id, p.payload::json as payload from ${PAYLOADS}
  ), body as (
    insert into ${s}.queue_job (id, added_at, queue, rank, flags, payload, attempts, expires_at, parent, grp, backoff_ms, trace)
    select i.id, statement_timestamp(), _queue, rank, flags, i.payload, (_spec ->> 'attempts')::smallint, ${expiresAt('_spec', 'due')},
      (_spec ->> 'parent')::bigint, _spec ->> 'group', (_spec ->> 'backoff')::float8, _spec ->> 'trace' from input i
  ), place as (
    insert into ${s}.queue_ready (seq, id, queue, rank, attempt, flags)
    select i.id, i.id, _queue, rank, 0, flags from input i where run_at is null
  ), later as (
    insert into ${s}.queue_scheduled (run_at, id, queue, rank, attempt, flags)
    select run_at, i.id, _queue, rank, 0, flags from input i where run_at is not null
  )
  select string_agg(i.id::text, ','), count(*) into _ids, added from input i;
  ${tally(s, '_queue', {
    waiting: 'case when run_at is null then added else 0 end',
    delayed: 'case when run_at is null then 0 else added end',
    added: 'added',
  })};
end $body$`
}

/**
 * Adds one job with a key, or answers the id of the job that has it. A key is held by one row: `until` is infinite while its job waits
 * or runs, and a time while it is kept beyond that, or throttled. A job that is debounced waits anew only where it has not begun.
 */
function addKeyed(s: string): string {
  return /* sql */ `create function ${s}.queue_add_keyed(_queue integer, _payload json, _spec jsonb, _id bigint) returns bigint
    ${ATTRIBUTES} as $body$
declare
  spec_key jsonb := _spec -> 'key';
  name text := spec_key ->> 'id';
  quiet interval := (spec_key ->> 'debounce')::float8 * interval '1 millisecond';
  held record;
  moved record;
  new_id bigint := _id;
  ends timestamptz := 'infinity';
begin
  perform pg_current_xact_id();
  ${needsGroups(s, '_queue', '_spec')};
  if quiet is not null then
    _spec := _spec - 'runAt' || jsonb_build_object('delay', spec_key -> 'debounce');
  end if;
  if spec_key ? 'throttle' then
    ends := clock_timestamp() + (spec_key ->> 'throttle')::float8 * interval '1 millisecond';
  end if;
  loop
    insert into ${s}.queue_key (queue, key, job, until) values (_queue, name, new_id, ends) on conflict do nothing;
    exit when found;
    select k.job, k.until into held from ${s}.queue_key k where k.queue = _queue and k.key = name for update;
    continue when not found;
    if held.until > clock_timestamp() then
      if quiet is null then return held.job; end if;
      delete from ${s}.queue_scheduled d where d.id = held.job and d.attempt = 0 returning d.* into moved;
      if found then
        update ${s}.queue_job j set payload = _payload where j.id = held.job;
        insert into ${s}.queue_scheduled (run_at, id, queue, rank, attempt, flags)
        values (clock_timestamp() + quiet, moved.id, moved.queue, moved.rank, moved.attempt, moved.flags);
        return held.job;
      end if;
    end if;
    update ${s}.queue_key k set job = new_id, until = ends where k.queue = _queue and k.key = name;
    exit;
  end loop;
  declare
    run_at timestamptz := ${runAt('_spec')};
    due timestamptz := coalesce(run_at, clock_timestamp());
    rank integer := ${rankOf(`coalesce((_spec ->> 'priority')::integer, 0)`)};
    flags smallint := ${flagsOf('_spec')} | ${FLAG.key};
  begin
    insert into ${s}.queue_job (id, added_at, queue, rank, flags, payload, attempts, expires_at, parent, grp, backoff_ms, trace, key, keep_key_ms)
    values (new_id, clock_timestamp(), _queue, rank, flags, _payload, (_spec ->> 'attempts')::smallint, ${expiresAt('_spec', 'due')},
      (_spec ->> 'parent')::bigint, _spec ->> 'group', (_spec ->> 'backoff')::float8, _spec ->> 'trace', name,
      (spec_key ->> 'keepFor')::float8);
    if run_at <= clock_timestamp() then run_at := null; end if;
    if run_at is null then
      insert into ${s}.queue_ready (seq, id, queue, rank, attempt, flags) values (new_id, new_id, _queue, rank, 0, flags);
      ${tally(s, '_queue', { waiting: '1', added: '1' })};
    else
      insert into ${s}.queue_scheduled (run_at, id, queue, rank, attempt, flags) values (run_at, new_id, _queue, rank, 0, flags);
      ${tally(s, '_queue', { delayed: '1', added: '1' })};
    end if;
  end;
  return new_id;
end $body$`
}

/** Answers the ids in the order of the payloads, divided by commas. */
function add(s: string): string {
  return /* sql */ `create function ${s}.queue_add(_queue integer, _payloads text, _spec jsonb default null) returns text
    ${ATTRIBUTES} as $body$
declare
  ids text;
  asleep boolean;
  xid xid8;
begin
  if _spec is null then
    -- What almost all calls are, as one statement. An assignment, where perform would be a query of its own.
    xid := pg_current_xact_id();
    with input as materialized (
      select ${nextSeq(s)} as id, p.payload::json as payload from ${PAYLOADS}
    ), body as (
      insert into ${s}.queue_job (id, added_at, queue, rank, flags, payload)
      select i.id, statement_timestamp(), _queue, 0, 0, i.payload from input i
    ), place as (
      insert into ${s}.queue_ready (seq, id, queue, rank, attempt, flags)
      select i.id, i.id, _queue, 0, 0, 0 from input i
    ), counted as (
      insert into ${s}.queue_tally (at, queue, waiting, added)
      select statement_timestamp(), _queue, count(*), count(*) from input i
    )
    select string_agg(i.id::text, ','), ${asleep(s, '_queue')} into ids, asleep from input i;
    if asleep then ${tell(s, '_queue')}; end if;
    return ids;
  elsif jsonb_typeof(_spec) = 'object' and not _spec ? 'key' then
    ids := ${s}.queue_add_alike(_queue, _payloads, _spec, null);
  else
    xid := pg_current_xact_id();
    -- Numbers in the order of the payloads, keys in an order of their own: two calls with the same keys do not wait for each other.
    with wanted as materialized (
      select p.n, p.payload, case when jsonb_typeof(_spec) = 'array' then nullif(_spec -> (p.n - 1)::integer, 'null') else _spec end as spec,
        ${nextSeq(s)} as id
      from ${PAYLOADS}
    ), sorted as materialized (
      select w.* from wanted w order by w.spec #>> '{key,id}' collate "C" nulls first, w.n
    ), added as materialized (
      select w.n, case
        when w.spec ? 'key' then ${s}.queue_add_keyed(_queue, w.payload::json, w.spec, w.id)::text
        else ${s}.queue_add_alike(_queue, w.payload, coalesce(w.spec, '{}'), w.id)
      end as id
      from sorted w
    )
    select string_agg(a.id, ',' order by a.n) into ids from added a;
  end if;
  ${wake(s, '_queue')};
  return ids;
end $body$`
}

function runAt(spec: string): string {
  return /* sql */ `case
    when ${spec} ? 'runAt' then to_timestamp((${spec} ->> 'runAt')::float8 / 1000)
    when ${spec} ? 'delay' then clock_timestamp() + (${spec} ->> 'delay')::float8 * interval '1 millisecond'
  end`
}

function expiresAt(spec: string, due: string): string {
  return `${due} + (${spec} ->> 'expireAfter')::float8 * interval '1 millisecond'`
}

function flagsOf(spec: string): string {
  return /* sql */ `(case when ${spec} ? 'expireAfter' then ${FLAG.expires} else 0 end
    | case when ${spec} ? 'group' then ${FLAG.group} else 0 end
    | case when ${spec} ? 'parent' then ${FLAG.child} else 0 end
    | case when ${spec} ? 'scheduled' then ${FLAG.scheduled} else 0 end)::smallint`
}
