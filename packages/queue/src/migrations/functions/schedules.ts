import { ATTRIBUTES, needsGroups } from '../fragments.js'

/** Runs that one call removes. */
const SWEPT = 1000

/**
 * What fires schedules and keeps their history. The slots themselves are found in JavaScript, which knows crons and time zones; that each
 * is used once is decided here.
 */
export function scheduleFunctions(s: string): string[] {
  return [set(s), start(s), runSlot(s), ended(s), fire(s), runNow(s), sweep(s)]
}

/** Makes a schedule, or changes it. One whose times are what they were goes on with the slot it was waiting for. */
function set(s: string): string {
  return /* sql */ `create function ${s}.queue_schedule_set(
    _queue integer, _name text, _cron text, _every_ms float8, _timezone text, _catch_up text, _overlap text, _driver text,
    _payload json, _spec jsonb, _keep_ms float8, _anchor_ms float8, _next_ms float8) returns bigint
    ${ATTRIBUTES} as $body$
declare
  number bigint;
begin
  ${needsGroups(s, '_queue', '_spec')};
  insert into ${s}.queue_schedule as o (queue, name, cron, every_ms, timezone, anchor, catch_up, overlap, driver, payload, spec, keep_ms, next_at)
  values (_queue, _name, _cron, _every_ms, _timezone, to_timestamp(_anchor_ms / 1000), _catch_up, _overlap, _driver, _payload, _spec,
    _keep_ms, to_timestamp(_next_ms / 1000))
  on conflict (queue, name) do update set cron = excluded.cron, every_ms = excluded.every_ms, timezone = excluded.timezone,
    catch_up = excluded.catch_up, overlap = excluded.overlap, driver = excluded.driver, payload = excluded.payload, spec = excluded.spec,
    keep_ms = excluded.keep_ms,
    anchor = case when (o.every_ms) is distinct from (excluded.every_ms) then excluded.anchor else o.anchor end,
    next_at = case
      when (o.cron, o.every_ms, o.timezone, o.driver) is distinct from (excluded.cron, excluded.every_ms, excluded.timezone, excluded.driver)
      then excluded.next_at else o.next_at end
  returning o.id into number;
  perform ${s}.hub_tell('queue-schedule', _queue::text);
  return number;
end $body$`
}

/** Adds the job of a run. */
function start(s: string): string {
  return /* sql */ `create function ${s}.queue_run_start(_schedule bigint, _slot timestamptz) returns bigint
    ${ATTRIBUTES} as $body$
declare
  added bigint;
begin
  select ${s}.queue_add(c.queue, c.payload::text, c.spec || '{"scheduled": true}')::bigint into added
  from ${s}.queue_schedule c where c.id = _schedule;
  update ${s}.queue_run r set job = added where r.schedule = _schedule and r.slot = _slot;
  return added;
end $body$`
}

/** Uses a slot. Answers the job's id, and null for a slot that was used, is skipped or waits. */
function runSlot(s: string): string {
  return /* sql */ `create function ${s}.queue_run_slot(_schedule bigint, _slot timestamptz, _overlap text) returns bigint
    ${ATTRIBUTES} as $body$
declare
  busy boolean := _overlap <> 'allow' and exists (
    select from ${s}.queue_run r where r.schedule = _schedule and r.outcome is null);
begin
  insert into ${s}.queue_run (schedule, slot, outcome, finished_at)
  select _schedule, _slot, case when skipped then 'skipped' end, case when skipped then clock_timestamp() end
  from (select busy and _overlap = 'skip' as skipped) as a
  on conflict do nothing;
  if not found or busy then return null; end if;
  return ${s}.queue_run_start(_schedule, _slot);
end $body$`
}

/**
 * The job of a run has ended: the next run that waits begins. Whoever wants a schedule's row and that of a run takes the schedule's first;
 * it is taken only where runs take turns, which one at a time ends.
 */
function ended(s: string): string {
  return /* sql */ `create function ${s}.queue_run_ended(_job bigint, _started timestamptz, _outcome text) returns void
    ${ATTRIBUTES} as $body$
declare
  run record;
  next record;
begin
  select r.schedule, c.overlap = 'queue' or exists (
      select from ${s}.queue_run w where w.schedule = c.id and w.outcome is null and w.job is null) as in_turns
    into run from ${s}.queue_run r join ${s}.queue_schedule c on c.id = r.schedule where r.job = _job;
  if not found then return; end if;
  -- Whoever fires the schedule now has to see what ended, or be seen.
  if run.in_turns then perform from ${s}.queue_schedule c where c.id = run.schedule for no key update; end if;
  update ${s}.queue_run r set started_at = _started, finished_at = clock_timestamp(), outcome = _outcome where r.job = _job;
  if not run.in_turns or exists (
    select from ${s}.queue_run r where r.schedule = run.schedule and r.outcome is null and r.job is not null) then return; end if;
  select r.schedule, r.slot into next from ${s}.queue_run r
  where r.schedule = run.schedule and r.outcome is null and r.job is null
  order by r.slot limit 1 for update;
  if found then perform ${s}.queue_run_start(next.schedule, next.slot); end if;
end $body$`
}

/**
 * Fires schedules: \`[{i: id, n: the next_at that was seen, s: slots, t: the next one}]\`, times in milliseconds. One that somebody else has
 * fired meanwhile, or fires now, is passed over. Answers how many runs were made.
 */
function fire(s: string): string {
  return /* sql */ `create function ${s}.queue_fire(_fires jsonb) returns integer
    ${ATTRIBUTES} as $body$
declare
  wanted record;
  seen record;
  slot float8;
  fired integer := 0;
begin
  for wanted in
    select (f ->> 'i')::bigint as id, to_timestamp((f ->> 'n')::float8 / 1000) as seen, f -> 's' as slots,
      to_timestamp((f ->> 't')::float8 / 1000) as next
    from jsonb_array_elements(_fires) as f order by 1
  loop
    select c.overlap into seen from ${s}.queue_schedule c
    where c.id = wanted.id and c.next_at = wanted.seen and not c.paused for no key update skip locked;
    continue when not found;
    for slot in select v::float8 from jsonb_array_elements_text(wanted.slots) as v loop
      perform ${s}.queue_run_slot(wanted.id, to_timestamp(slot / 1000), seen.overlap);
      fired := fired + 1;
    end loop;
    update ${s}.queue_schedule c set next_at = wanted.next where c.id = wanted.id;
  end loop;
  return fired;
end $body$`
}

/** Fires a schedule out of turn: its slot is now, or what the caller says. Answers the job's id; null where it does not run now. */
function runNow(s: string): string {
  return /* sql */ `create function ${s}.queue_run_now(_schedule bigint, _slot timestamptz default clock_timestamp()) returns bigint
    ${ATTRIBUTES} as $body$
declare
  seen record;
begin
  select c.overlap into seen from ${s}.queue_schedule c where c.id = _schedule for no key update;
  if not found then return null; end if;
  return ${s}.queue_run_slot(_schedule, _slot, seen.overlap);
end $body$`
}

function sweep(s: string): string {
  return /* sql */ `create function ${s}.queue_run_sweep(_queue integer) returns boolean
    ${ATTRIBUTES} as $body$
declare
  gone integer;
begin
  with old as materialized (
    select o.schedule, o.slot from ${s}.queue_schedule c
    cross join lateral (
      select r.schedule, r.slot from ${s}.queue_run r
      where r.schedule = c.id and r.outcome is not null and r.finished_at < clock_timestamp() - c.keep_ms * interval '1 millisecond'
      order by r.finished_at limit ${SWEPT}
    ) o
    where c.queue = _queue
  )
  delete from ${s}.queue_run r using old o where r.schedule = o.schedule and r.slot = o.slot;
  get diagnostics gone = row_count;
  return gone >= ${SWEPT};
end $body$`
}
