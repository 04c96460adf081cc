import { CONSEQUENCES, FLAG } from '../../flags.js'
import { ATTRIBUTES, announce, frontRank, lockQueue, nextSeq, tally, wake } from '../fragments.js'

/**
 * What becomes of jobs that left their lease.
 *
 * `queue_end` answers the ids of jobs that are dead now. It is given the jobs that a settlement found in their leases, and by job id what happened:
 * `completed` (with output), `failed` (again after a wait, or dead after its last attempt), `later` (again after a wait, no attempt
 * counted), `discarded`, `cancelled`, `returned` (again at once, ahead of others, no attempt counted).
 *
 * `queue_finish` writes down an end and does what follows from it: the key is free, the group's place too, and the parent hears of it.
 */
export function endFunctions(s: string): string[] {
  return [announceFunction(s), finish(s), lockParents(s), childEnded(s), requeue(s), end(s)]
}

function announceFunction(s: string): string {
  return /* sql */ `create function ${s}.queue_announce(_queue integer, _id bigint, _outcome text, _error text) returns void
    ${ATTRIBUTES} as $body$
begin
  if not exists (select from ${s}.queue_watch w where w.queue = _queue and w.until > statement_timestamp()) then return; end if;
  perform ${s}.hub_tell('queue-event', _queue::text, jsonb_build_array(case _outcome
    when 'completed' then jsonb_build_array('completed', _id::text)
    when 'failed' then jsonb_build_array('failed', _id::text, jsonb_build_object('error', left(_error, 500), 'dead', true))
    else jsonb_build_array('ended', _id::text, _outcome) end));
end $body$`
}

/**
 * Locks all that wait, on any level, for jobs that are about to end, in one order for everybody: two workers that end children of the
 * same parents do not wait for each other.
 */
function lockParents(s: string): string {
  return /* sql */ `create function ${s}.queue_lock_parents(_ids bigint[]) returns void
    ${ATTRIBUTES} as $body$
begin
  perform from ${s}.queue_flow f where f.id = any(array(
    with recursive up(id) as (
      select j.parent from ${s}.queue_job j where j.id = any(_ids) and j.flags & ${FLAG.child} <> 0
      union
      select j.parent from up join ${s}.queue_job j on j.id = up.id where j.flags & ${FLAG.child} <> 0
    )
    select up.id from up
  )) order by f.id for update;
end $body$`
}

function finish(s: string): string {
  return /* sql */ `create function ${s}.queue_finish(
    _queue integer, _id bigint, _started timestamptz, _outcome text, _error text, _output json) returns void
    ${ATTRIBUTES} as $body$
declare
  job record;
begin
  select j.flags, j.key, j.keep_key_ms, j.grp, j.parent into job from ${s}.queue_job j where j.id = _id;
  insert into ${s}.queue_result (id, finished_at, started_at, queue, failures, crashes, outcome, error, output)
  select _id, clock_timestamp(), _started, _queue, coalesce(r.failures, 0), coalesce(r.crashes, 0), _outcome, coalesce(_error, r.error), _output
  from (select) as one left join ${s}.queue_retry r on r.id = _id
  on conflict (id) do update set finished_at = excluded.finished_at, started_at = excluded.started_at, failures = excluded.failures,
    crashes = excluded.crashes, outcome = excluded.outcome, error = excluded.error, output = excluded.output;
  delete from ${s}.queue_retry r where r.id = _id;
  if job.flags & ${FLAG.key} <> 0 then
    if job.keep_key_ms is null then
      delete from ${s}.queue_key k where k.queue = _queue and k.key = job.key and k.job = _id and k.until = 'infinity';
    else
      update ${s}.queue_key k set until = clock_timestamp() + job.keep_key_ms * interval '1 millisecond'
      where k.queue = _queue and k.key = job.key and k.job = _id;
    end if;
  end if;
  if job.flags & ${FLAG.scheduled} <> 0 then
    perform ${s}.queue_run_ended(_id, _started, _outcome);
  end if;
  if job.flags & ${FLAG.child} <> 0 then
    perform ${s}.queue_child_ended(job.parent, _id, _outcome);
  end if;
end $body$`
}

/** A parent becomes ready when the last child has ended, and fails with a child that it does not tolerate to fail. */
function childEnded(s: string): string {
  return /* sql */ `create function ${s}.queue_child_ended(_parent bigint, _child bigint, _outcome text) returns void
    ${ATTRIBUTES} as $body$
declare
  parent record;
  failed boolean := _outcome <> 'completed' and not coalesce(
    (select c.tolerated from ${s}.queue_child c where c.parent = _parent and c.child = _child), false);
begin
  update ${s}.queue_flow f set pending = f.pending - 1 where f.id = _parent returning f.queue, f.pending, f.ready_at into parent;
  if not found or (parent.pending > 0 and not failed) then return; end if;
  delete from ${s}.queue_flow f where f.id = _parent;
  if failed then
    perform ${s}.queue_finish(parent.queue, _parent, null, 'failed', 'Child ' || _child || ' ended as ' || _outcome || '.', null);
    ${announce(s, 'parent.queue', '_parent', "'failed'", "'Child ' || _child || ' ended as ' || _outcome || '.'")};
    ${tally(s, 'parent.queue', { blocked: '-1', dead: '1', died: '1' })};
  elsif parent.ready_at > clock_timestamp() then
    insert into ${s}.queue_scheduled (run_at, id, queue, rank, attempt, flags)
    select parent.ready_at, j.id, j.queue, j.rank, 0, j.flags from ${s}.queue_job j where j.id = _parent;
    ${tally(s, 'parent.queue', { blocked: '-1', delayed: '1' })};
    ${wake(s, 'parent.queue')};
  else
    insert into ${s}.queue_ready (seq, id, queue, rank, attempt, flags)
    select ${nextSeq(s)}, j.id, j.queue, j.rank, 0, j.flags from ${s}.queue_job j where j.id = _parent;
    ${tally(s, 'parent.queue', { blocked: '-1', waiting: '1' })};
    ${wake(s, 'parent.queue')};
  end if;
end $body$`
}

/** Puts a job back: behind all others after a wait, or in front of them at once. The place of its group stays its own. */
function requeue(s: string): string {
  return /* sql */ `create function ${s}.queue_requeue(_id bigint, _delay_ms float8, _front boolean, _extra integer) returns void
    ${ATTRIBUTES} as $body$
declare
  job record;
begin
  select j.queue, j.rank, coalesce(r.failures, 0) + coalesce(r.crashes, 0) as attempt,
      (j.flags | _extra | case when j.flags & ${FLAG.group} <> 0 then ${FLAG.counted} else 0 end
        | case when r.crashes > 0 then ${FLAG.apart} else 0 end | case when r.crashes > 1 then ${FLAG.exclusive} else 0 end) as flags
    into job from ${s}.queue_job j left join ${s}.queue_retry r on r.id = j.id where j.id = _id;
  if _delay_ms > 0 then
    insert into ${s}.queue_scheduled (run_at, id, queue, rank, attempt, flags)
    values (clock_timestamp() + _delay_ms * interval '1 millisecond', _id, job.queue, job.rank, job.attempt, job.flags);
    ${tally(s, 'job.queue', { delayed: '1' })};
  else
    insert into ${s}.queue_ready (seq, id, queue, rank, attempt, flags)
    values (${nextSeq(s)}, _id, job.queue, case when _front then ${frontRank('job.rank')} else job.rank end, job.attempt, job.flags);
    ${tally(s, 'job.queue', { waiting: '1' })};
  end if;
end $body$`
}

function end(s: string): string {
  return /* sql */ `create function ${s}.queue_end(_queue integer, _ids bigint[], _starts timestamptz[], _ended jsonb) returns text
    ${ATTRIBUTES} as $body$
declare
  settings record;
  dead text[];
  job record;
  tries integer;
  completed integer := 0; failed integer := 0; died integer := 0; cancelled integer := 0;
  places record;
begin
  perform pg_current_xact_id();
  select q.* into settings from ${s}.queue q where q.id = _queue;
  -- Completed without consequences, as one statement: handlers that answer something are common.
  with plain as materialized (
    select i.id, i.started, _ended -> i.id::text ->> 'o' as output
    from unnest(_ids, _starts) as i(id, started) join ${s}.queue_job j on j.id = i.id
    where _ended -> i.id::text ->> 'k' = 'completed' and j.flags & ${CONSEQUENCES} = 0
  ), forgotten as (
    delete from ${s}.queue_retry r using plain p where r.id = p.id returning r.*
  ), kept as (
    insert into ${s}.queue_result (id, finished_at, started_at, queue, failures, crashes, outcome, output)
    select p.id, statement_timestamp(), p.started, _queue, coalesce(f.failures, 0), coalesce(f.crashes, 0), 'completed', p.output::json
    from plain p left join forgotten f on f.id = p.id
    returning 1
  )
  select count(*) into completed from kept;
  if completed < cardinality(_ids) then perform ${s}.queue_lock_parents(_ids); end if;
  for job in
    select i.id, i.started, case when c.id is null then e.end ->> 'k' else 'completed' end as kind, e.end ->> 'e' as error,
      (e.end ->> 'd')::float8 as delay, coalesce(c.output, (e.end ->> 'o')::json) as output,
      coalesce(j.attempts, settings.attempts) as attempts, coalesce(j.backoff_ms, settings.backoff_ms) as backoff_ms
    from unnest(_ids, _starts) as i(id, started)
    cross join lateral (select _ended -> i.id::text) as e("end")
    join ${s}.queue_job j on j.id = i.id
    -- A receipt counts more than what the worker knows: it may have lost the answer to a commit.
    left join ${s}.queue_receipt c on c.id = i.id
    where e.end ->> 'k' <> 'completed' or j.flags & ${CONSEQUENCES} <> 0
    order by coalesce(j.parent, 0), i.id
  loop
    case job.kind
    when 'completed' then
      perform ${s}.queue_finish(_queue, job.id, job.started, 'completed', null, job.output);
      completed := completed + 1;
    when 'failed' then
      insert into ${s}.queue_retry as r (id, failures, error) values (job.id, 1, job.error)
      on conflict (id) do update set failures = r.failures + 1, error = excluded.error
      returning r.failures into tries;
      failed := failed + 1;
      if tries >= job.attempts then
        perform ${s}.queue_finish(_queue, job.id, job.started, 'failed', job.error, null);
        died := died + 1;
        dead := dead || job.id::text;
      else
        perform ${s}.queue_requeue(job.id, coalesce(job.delay, greatest(1, least(settings.backoff_max_ms, job.backoff_ms * power(2, tries - 1))
          * (0.5 + random() / 2))), false, 0);
      end if;
    when 'later' then
      perform ${s}.queue_requeue(job.id, greatest(job.delay, 1), false, 0);
    when 'returned' then
      perform ${s}.queue_requeue(job.id, 0, true, 0);
    when 'discarded', 'cancelled' then
      perform ${s}.queue_finish(_queue, job.id, job.started, job.kind, job.error, null);
      cancelled := cancelled + 1;
    end case;
  end loop;
  ${tally(s, '_queue', {
    completed: 'completed',
    failed: 'failed',
    died: 'died',
    dead: 'died',
    cancelled: 'cancelled',
  })};
  delete from ${s}.queue_cancel c where c.id = any(_ids);
  delete from ${s}.queue_progress p where p.id = any(_ids);
  delete from ${s}.queue_receipt r where r.id = any(_ids);
  if settings.group_concurrency is not null then
    ${lockQueue(s, '_queue')};
    -- A job that waits again keeps its place.
    for places in
      select j.grp, count(*)::integer as left from ${s}.queue_job j
      where j.id = any(_ids) and j.grp is not null
        and exists (select from ${s}.queue_result r where r.id = j.id)
      group by j.grp order by j.grp
    loop
      perform ${s}.queue_group_leave(_queue, places.grp, places.left);
    end loop;
  end if;
  return array_to_string(dead, ',');
end $body$`
}
