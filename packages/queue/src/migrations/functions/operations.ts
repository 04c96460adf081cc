import { CONSEQUENCES, FLAG } from '../../flags.js'
import {
  ATTRIBUTES,
  announce,
  frontRank,
  lockQueue,
  nextSeq,
  rankOf,
  tally,
  wake,
} from '../fragments.js'

/** What people do to single jobs and to queues. */
export function operationFunctions(s: string): string[] {
  return [
    unplace(s),
    cancel(s),
    reschedule(s),
    pause(s),
    reviveParents(s),
    redrive(s),
    purge(s),
    clear(s),
  ]
}

/**
 * Takes a job out of wherever it waits; `place` is null where it waits nowhere. A job that is about to be claimed is waited for: who
 * claims it decides.
 */
function unplace(s: string): string {
  return /* sql */ `create function ${s}.queue_unplace(
    _id bigint, out place text, out queue integer, out rank integer, out attempt smallint, out flags smallint, out grp text)
    ${ATTRIBUTES} as $body$
#variable_conflict use_column
declare
  job record;
begin
  perform pg_current_xact_id();
  select j.queue, j.rank, j.flags, j.grp into job from ${s}.queue_job j where j.id = _id;
  if not found then return; end if;
  queue := job.queue; rank := job.rank; flags := job.flags; grp := job.grp; attempt := 0;
  -- It may move from one place to the next between two looks.
  for look in 1 .. 3 loop
    delete from ${s}.queue_ready r where r.queue = job.queue and r.rank in (job.rank, ${frontRank('job.rank')}) and r.seq = _id
    returning 'ready', r.attempt, r.flags into place, attempt, flags;
    if found then return; end if;
    delete from ${s}.queue_ready r where r.id = _id and r.id <> r.seq returning 'ready', r.attempt, r.flags into place, attempt, flags;
    if found then return; end if;
    delete from ${s}.queue_scheduled d where d.id = _id returning 'scheduled', d.attempt, d.flags into place, attempt, flags;
    if found then return; end if;
    delete from ${s}.queue_parked p where p.id = _id returning 'parked', p.attempt, p.flags into place, attempt, flags;
    if found then return; end if;
    delete from ${s}.queue_flow f where f.id = _id returning 'flow' into place;
    if found then return; end if;
    exit when exists (select from ${s}.queue_result r where r.id = _id)
      or exists (select from ${s}.queue_lease l where l.queue = job.queue and l.ids @> array[_id]);
  end loop;
  flags := job.flags; attempt := 0;
end $body$`
}

/** One less where a job waited. */
function uncount(s: string, more: Record<string, string> = {}): string {
  return tally(s, 'job.queue', {
    waiting: `-(job.place in ('ready', 'parked'))::integer`,
    delayed: `-(job.place = 'scheduled')::integer`,
    blocked: `-(job.place = 'flow')::integer`,
    ...more,
  })
}

/** Answers what became of it: `cancelled`, `cancelling` (it runs, and its worker is told), `ended`, `unknown`. */
function cancel(s: string): string {
  return /* sql */ `create function ${s}.queue_cancel(_id bigint) returns text
    ${ATTRIBUTES} as $body$
declare
  job record;
  holder record;
begin
  perform ${s}.queue_lock_parents(array[_id]);
  select * into job from ${s}.queue_unplace(_id);
  if job.place is not null then
    perform ${s}.queue_finish(job.queue, _id, null, 'cancelled', null, null);
    ${announce(s, 'job.queue', '_id', "'cancelled'")};
    ${uncount(s, { cancelled: '1' })};
    if job.flags & ${FLAG.counted} <> 0 then
      ${lockQueue(s, 'job.queue')};
      perform ${s}.queue_group_leave(job.queue, job.grp, 1);
    end if;
    return 'cancelled';
  end if;
  if job.queue is null then return 'unknown'; end if;
  select l.worker into holder from ${s}.queue_lease l where l.queue = job.queue and l.ids @> array[_id];
  if not found then return 'ended'; end if;
  insert into ${s}.queue_cancel (id, worker) values (_id, holder.worker) on conflict do nothing;
  perform ${s}.hub_tell('queue-cancel', job.queue::text, jsonb_build_array(_id::text));
  return 'cancelling';
end $body$`
}

/** Gives a job that waits another priority, another time, or both. Answers whether it waited. */
function reschedule(s: string): string {
  return /* sql */ `create function ${s}.queue_reschedule(_id bigint, _priority integer, _delay_ms float8, _run_at_ms float8) returns boolean
    ${ATTRIBUTES} as $body$
declare
  job record;
  place text;
  old timestamptz;
  at timestamptz := coalesce(to_timestamp(_run_at_ms / 1000), clock_timestamp() + _delay_ms * interval '1 millisecond');
begin
  select d.run_at into old from ${s}.queue_scheduled d where d.id = _id;
  select * into job from ${s}.queue_unplace(_id);
  if job.place is null then return false; end if;
  if _priority is not null then
    job.rank := ${rankOf('_priority')};
    update ${s}.queue_job j set rank = job.rank where j.id = _id;
  end if;
  if job.place = 'flow' then
    raise invalid_parameter_value using message = 'A job that waits for its children cannot be rescheduled.';
  end if;
  if at is null and job.place = 'scheduled' then at := old; end if;
  place := case when at > clock_timestamp() then 'scheduled' else 'ready' end;
  if place = 'scheduled' then
    insert into ${s}.queue_scheduled (run_at, id, queue, rank, attempt, flags) values (at, _id, job.queue, job.rank, job.attempt, job.flags);
  else
    insert into ${s}.queue_ready (seq, id, queue, rank, attempt, flags)
    values (${nextSeq(s)}, _id, job.queue, job.rank, job.attempt, job.flags);
  end if;
  ${uncount(s)};
  ${tally(s, 'job.queue', {
    waiting: `(place = 'ready')::integer`,
    delayed: `(place = 'scheduled')::integer`,
  })};
  ${wake(s, 'job.queue')};
  return true;
end $body$`
}

/** Stops and resumes claiming, in all processes. */
function pause(s: string): string {
  return /* sql */ `create function ${s}.queue_pause(_queue integer, _paused boolean) returns void
    ${ATTRIBUTES} as $body$
begin
  update ${s}.queue q set paused = _paused where q.id = _queue and q.paused <> _paused;
  if not _paused then perform ${s}.hub_tell('queue', _queue::text); end if;
end $body$`
}

/**
 * Makes parents of the jobs given wait again that have failed with a child before they began, or that are among those jobs. Answers the
 * parents that wait.
 */
function reviveParents(s: string): string {
  return /* sql */ `create function ${s}.queue_revive_parents(_risen bigint[]) returns bigint[]
    ${ATTRIBUTES} as $body$
declare
  level bigint[] := _risen;
  parents bigint[];
  waiting bigint[] := '{}';
  parent record;
begin
  loop
    parents := '{}';
    for parent in
      select distinct p.id, p.queue from ${s}.queue_job j join ${s}.queue_job p on p.id = j.parent
      where j.id = any(level) and j.flags & ${FLAG.child} <> 0 and p.id <> all(waiting)
      order by p.id
    loop
      delete from ${s}.queue_result r where r.id = parent.id and r.outcome = 'failed' and r.started_at is null;
      if found then
        ${tally(s, 'parent.queue', { dead: '-1' })};
      elsif parent.id <> all(_risen) then
        if not exists (select from ${s}.queue_flow f where f.id = parent.id) then
          update ${s}.queue_job j set flags = j.flags & ~${FLAG.child} where j.id = any(level) and j.parent = parent.id;
          continue;
        end if;
        -- It waits already: for those that it does not tolerate to fail, but not for the others any more.
        update ${s}.queue_flow f set pending = f.pending + (
          select count(*) from ${s}.queue_child c where c.parent = parent.id and c.child = any(level) and c.tolerated)
        where f.id = parent.id;
        continue;
      end if;
      parents := parents || parent.id;
      insert into ${s}.queue_flow (id, queue, pending)
      select parent.id, parent.queue, count(*) from ${s}.queue_child c
      where c.parent = parent.id and not exists (
        select from ${s}.queue_result r where r.id = c.child and (c.tolerated or r.outcome = 'completed'));
      ${tally(s, 'parent.queue', { blocked: '1' })};
    end loop;
    exit when parents = '{}';
    waiting := waiting || parents;
    level := parents;
  end loop;
  return waiting;
end $body$`
}

/**
 * Puts up to `_limit` dead jobs back, all attempts anew. One whose key another job holds by now runs without it. A parent that failed with
 * one of them waits for its children once more; where it ran without the child, the child runs for itself.
 */
function redrive(s: string): string {
  return /* sql */ `create function ${s}.queue_redrive(_queue integer, _ids bigint[], _limit integer) returns integer
    ${ATTRIBUTES} as $body$
declare
  risen bigint[];
  waiting bigint[];
begin
  perform pg_current_xact_id();
  with picked as materialized (
    select r.id from ${s}.queue_result r
    where r.queue = _queue and r.outcome = 'failed' and (_ids is null or r.id = any(_ids))
    order by r.finished_at limit _limit for update skip locked
  ), gone as (
    delete from ${s}.queue_result r using picked p where r.id = p.id returning r.id
  )
  select array_agg(g.id order by g.id) into risen from gone g;
  if risen is null then return 0; end if;
  waiting := ${s}.queue_revive_parents(risen);
  insert into ${s}.queue_key (queue, key, job, until)
  select _queue, j.key, j.id, 'infinity' from ${s}.queue_job j where j.id = any(risen) and j.key is not null
  order by j.key on conflict do nothing;
  insert into ${s}.queue_ready (seq, id, queue, rank, attempt, flags)
  select ${nextSeq(s)}, j.id, j.queue, j.rank, 0, j.flags from ${s}.queue_job j
  where j.id = any(risen) and j.id <> all(waiting) order by j.id;
  ${tally(s, '_queue', { dead: '-cardinality(risen)', waiting: '(select count(*) from unnest(risen) as r where r <> all(waiting))' })};
  ${wake(s, '_queue')};
  return cardinality(risen);
end $body$`
}

/** Deletes up to `_limit` dead jobs for good. */
function purge(s: string): string {
  return /* sql */ `create function ${s}.queue_purge(_queue integer, _ids bigint[], _limit integer) returns integer
    ${ATTRIBUTES} as $body$
declare
  gone bigint[];
begin
  with picked as materialized (
    select r.id from ${s}.queue_result r
    where r.queue = _queue and r.outcome = 'failed' and (_ids is null or r.id = any(_ids))
    order by r.finished_at limit _limit for update skip locked
  ), removed as (
    delete from ${s}.queue_result r using picked p where r.id = p.id returning r.id
  )
  select array_agg(r.id) into gone from removed r;
  if gone is null then return 0; end if;
  delete from ${s}.queue_job j where j.id = any(gone);
  delete from ${s}.queue_step t where t.job = any(gone);
  delete from ${s}.queue_child c where c.parent = any(gone);
  ${tally(s, '_queue', { dead: '-cardinality(gone)' })};
  return cardinality(gone);
end $body$`
}

/** Deletes up to `_limit` jobs that wait. Those whose end has consequences end as cancelled. Answers how many, 0 when none is left. */
function clear(s: string): string {
  const remove = (table: string) => /* sql */ `
  with picked as materialized (
    select w.ctid as tid from ${s}.${table} w where w.queue = _queue limit _limit - n for update skip locked
  ), removed as (
    delete from ${s}.${table} w where w.ctid = any(array(select p.tid from picked p)) returning w.id
  )
  select array_agg(r.id) into ids from removed r;
  gone := gone || coalesce(ids, '{}'); n := n + coalesce(cardinality(ids), 0);`
  return /* sql */ `create function ${s}.queue_clear(_queue integer, _limit integer) returns integer
    ${ATTRIBUTES} as $body$
declare
  ids bigint[];
  gone bigint[] := '{}';
  n integer := 0;
  waiting integer;
  id bigint;
  counted record;
begin
  if exists (select from ${s}.queue q where q.id = _queue and q.group_concurrency is not null) then ${lockQueue(s, '_queue')}; end if;
  ${remove('queue_parked')}
  ${remove('queue_ready')}
  waiting := n;
  ${remove('queue_scheduled')}
  if n = 0 then return 0; end if;
  delete from ${s}.queue_group g where g.queue = _queue and not exists (select from ${s}.queue_lease l where l.queue = _queue);
  for id in select j.id from ${s}.queue_job j where j.id = any(gone) and j.flags & ${CONSEQUENCES} <> 0 order by j.key, j.id loop
    perform ${s}.queue_finish(_queue, id, null, 'cancelled', null, null);
  end loop;
  delete from ${s}.queue_job j where j.id = any(gone) and j.flags & ${CONSEQUENCES} = 0;
  delete from ${s}.queue_retry r where r.id = any(gone);
  ${tally(s, '_queue', { waiting: '-waiting', delayed: 'waiting - n', cancelled: 'n' })};
  return n;
end $body$`
}
