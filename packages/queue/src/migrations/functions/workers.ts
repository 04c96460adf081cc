import { literal } from '@howdah/core'
import { FLAG } from '../../flags.js'
import { ATTRIBUTES, announce, lockQueue, nextLease, tally } from '../fragments.js'

/** Dead workers' leases that one call looks at. */
const RESCUED = 500

/**
 * Who works, and what becomes of the jobs of those who died.
 *
 * A worker is alive until `expires_at`, which its heartbeat moves on. One that has expired is dead once somebody has removed its row; if
 * its heartbeat comes first, it lives on with all its leases. A lease without a worker is nobody's: its jobs run again.
 *
 * A crash of the server may undo claims, and with them the numbers that were drawn for their leases. Who enters first after it moves the
 * sequence on to the time of the clock in microseconds, which no lease before the crash had reached; until then nothing is claimed.
 */
export function workerFunctions(s: string): string[] {
  return [
    /* sql */ `create function ${s}.queue_enter(_queue integer, _worker bigint, _lease_ms float8, _about text, out worker text, out epoch text, out limited boolean)
    ${ATTRIBUTES} as $body$
#variable_conflict use_column
declare
  number bigint;
begin
  if (select e.last_value from ${s}.queue_epoch e) = 0 then
    perform setval(${literal(`${s}.queue_lease_seq`)},
      greatest(q.last_value + 1000000, (extract(epoch from clock_timestamp()) * 1000000)::bigint)) from ${s}.queue_lease_seq q;
    perform setval(${literal(`${s}.queue_epoch`)}, (extract(epoch from clock_timestamp()) * 1000)::bigint);
  end if;
  number := coalesce(_worker, ${nextLease(s)});
  insert into ${s}.queue_worker as w (id, queue, expires_at, started_at, about)
  values (number, _queue, clock_timestamp() + _lease_ms * interval '1 millisecond', clock_timestamp(), _about)
  on conflict (id) do update set expires_at = excluded.expires_at;
  worker := number;
  epoch := (select e.last_value from ${s}.queue_epoch e);
  limited := (select q.concurrency is not null from ${s}.queue q where q.id = _queue);
end $body$`,
    // Answers the workers that live, each with those of its jobs that were cancelled.
    /* sql */ `create function ${s}.queue_beat(_workers bigint[], _leases_ms float8[])
    returns table (worker text, cancelled text)
    ${ATTRIBUTES} as $body$
#variable_conflict use_column
begin
  perform set_config('synchronous_commit', 'off', true);
  return query
    with beat as (
      update ${s}.queue_worker w set expires_at = clock_timestamp() + b.lease_ms * interval '1 millisecond'
      from unnest(_workers, _leases_ms) as b(id, lease_ms) where w.id = b.id
      returning w.id
    )
    select beat.id::text, (select string_agg(c.id::text, ',') from ${s}.queue_cancel c where c.worker = beat.id) from beat;
end $body$`,
    /* sql */ `create function ${s}.queue_leave(_worker bigint) returns void
    ${ATTRIBUTES} as $body$
begin
  delete from ${s}.queue_idle i where i.worker = _worker;
  delete from ${s}.queue_worker w where w.id = _worker
    and not exists (select from ${s}.queue_lease l where l.worker = _worker);
end $body$`,
    // Shares out the places of a queue with a limit for all processes. Nobody has more than its places, and all together not more than there are.
    /* sql */ `create function ${s}.queue_places(_queue integer, _worker bigint, _wants integer, _uses integer) returns integer
    ${ATTRIBUTES} as $body$
declare
  places integer;
  mine integer;
  others integer;
  hungry boolean;
  workers integer;
begin
  ${lockQueue(s, '_queue')};
  select q.concurrency into places from ${s}.queue q where q.id = _queue;
  select coalesce(sum(w.slots), 0), coalesce(bool_or(w.wants > w.slots), false), count(*) + 1 into others, hungry, workers
  from ${s}.queue_worker w where w.queue = _queue and w.id <> _worker;
  mine := greatest(0, least(_wants, coalesce(places, _wants) - others));
  -- Leave some to who has less, but never below what runs already.
  if hungry then mine := least(mine, greatest(_uses, (places + workers - 1) / workers)); end if;
  update ${s}.queue_worker w set slots = mine, wants = _wants where w.id = _worker and (w.slots, w.wants) is distinct from (mine, _wants);
  return mine;
end $body$`,
    reconcile(s),
    rescue(s),
  ]
}

/**
 * Makes the jobs of dead workers run again, each by itself; those that completed in a transaction of the application's have a receipt, and
 * are complete. A server that has just started gives the living time to say so.
 */
function rescue(s: string): string {
  return /* sql */ `create function ${s}.queue_rescue(_grace_ms float8) returns integer
    ${ATTRIBUTES} as $body$
declare
  lease record;
  job record;
  tries integer;
  count integer := 0;
begin
  if clock_timestamp() < pg_postmaster_start_time() + _grace_ms * interval '1 millisecond'
    or not pg_try_advisory_xact_lock(hashtextextended(${literal(`howdah.rescue:${s}`)}, 0)) then
    return 0;
  end if;
  perform pg_current_xact_id();
  delete from ${s}.queue_worker w where w.expires_at < clock_timestamp();
  for lease in
    select l.id, l.queue, l.started_at, l.ids from ${s}.queue_lease l
    where not exists (select from ${s}.queue_worker w where w.id = l.worker)
    order by l.queue, l.id limit ${RESCUED} for update skip locked
  loop
    delete from ${s}.queue_lease l where l.id = lease.id;
    perform ${s}.queue_lock_parents(lease.ids);
    for job in
      select i.id, r.id is not null as complete, r.output, c.id is not null as cancelled, j.grp, q.max_crashes
      from unnest(lease.ids) as i(id) join ${s}.queue_job j on j.id = i.id join ${s}.queue q on q.id = lease.queue
      left join ${s}.queue_receipt r on r.lease = lease.id and r.id = i.id
      left join ${s}.queue_cancel c on c.id = i.id
    loop
      count := count + 1;
      ${tally(s, 'lease.queue', { running: '-1' })};
      if job.grp is not null then ${lockQueue(s, 'lease.queue')}; end if;
      if job.complete or job.cancelled then
        perform ${s}.queue_finish(lease.queue, job.id, lease.started_at, case when job.complete then 'completed' else 'cancelled' end, null, job.output);
        ${announce(s, 'lease.queue', 'job.id', "case when job.complete then 'completed' else 'cancelled' end")};
        ${tally(s, 'lease.queue', { completed: 'job.complete::integer', cancelled: '(not job.complete)::integer' })};
      else
        insert into ${s}.queue_retry as r (id, crashes) values (job.id, 1)
        on conflict (id) do update set crashes = r.crashes + 1 returning r.crashes into tries;
        ${tally(s, 'lease.queue', { crashed: '1' })};
        if tries >= job.max_crashes then
          perform ${s}.queue_finish(lease.queue, job.id, lease.started_at, 'failed', 'Its worker died ' || tries || ' times.', null);
          ${announce(s, 'lease.queue', 'job.id', "'failed'", "'Its worker died ' || tries || ' times.'")};
          ${tally(s, 'lease.queue', { dead: '1', died: '1' })};
        else
          perform ${s}.queue_requeue(job.id, 0, true, ${FLAG.apart});
          continue;
        end if;
      end if;
      if job.grp is not null then perform ${s}.queue_group_leave(lease.queue, job.grp, 1); end if;
    end loop;
    delete from ${s}.queue_receipt r where r.id = any(lease.ids);
    delete from ${s}.queue_cancel c where c.id = any(lease.ids);
    delete from ${s}.queue_progress p where p.id = any(lease.ids);
  end loop;
  delete from ${s}.queue_idle i where i.until < clock_timestamp();
  return count;
end $body$`
}

/**
 * A worker does not know a lease whose claim was never answered, or whose settlement a crash of the server has undone: then some of its
 * jobs may have receipts, and are complete.
 */
function reconcile(s: string): string {
  return /* sql */ `create function ${s}.queue_reconcile(_worker bigint, _known bigint[], _age_ms float8) returns text
    ${ATTRIBUTES} as $body$
declare
  lease record;
  job record;
begin
  perform pg_current_xact_id();
  for lease in
    select l.id, l.queue, l.started_at, l.ids from ${s}.queue_lease l
    where l.worker = _worker and l.id <> all(_known) and l.started_at < clock_timestamp() - _age_ms * interval '1 millisecond'
    for update
  loop
    delete from ${s}.queue_lease l where l.id = lease.id;
    perform ${s}.queue_lock_parents(lease.ids);
    for job in
      select i.id, r.id is not null as complete, r.output, j.grp
      from unnest(lease.ids) as i(id) join ${s}.queue_job j on j.id = i.id
      left join ${s}.queue_receipt r on r.lease = lease.id and r.id = i.id
    loop
      if job.grp is not null then ${lockQueue(s, 'lease.queue')}; end if;
      if job.complete then
        perform ${s}.queue_finish(lease.queue, job.id, lease.started_at, 'completed', null, job.output);
        ${announce(s, 'lease.queue', 'job.id', "'completed'")};
        ${tally(s, 'lease.queue', { completed: '1' })};
        if job.grp is not null then perform ${s}.queue_group_leave(lease.queue, job.grp, 1); end if;
      else
        perform ${s}.queue_requeue(job.id, 0, true, 0);
      end if;
    end loop;
    delete from ${s}.queue_receipt r where r.id = any(lease.ids);
    ${tally(s, 'lease.queue', { running: '-cardinality(lease.ids)' })};
  end loop;
  return (select string_agg(k::text, ',') from unnest(_known) as k where not exists (select from ${s}.queue_lease l where l.id = k));
end $body$`
}
