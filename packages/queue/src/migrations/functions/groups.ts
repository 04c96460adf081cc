import { FLAG } from '../../flags.js'
import { ATTRIBUTES, announce, nextSeq, tally } from '../fragments.js'

/**
 * Groups, rates and ends of life, for the queues and jobs that have them.
 *
 * A group has places, and a job that was claimed once holds one until it ends: also while it waits for a retry, so that nothing of its
 * group overtakes it. What is claimed while its group is full is parked, once; whoever ends a job of the group makes the first that is
 * parked ready, behind everything else. So groups take turns, and no claim looks at more than the jobs it moves.
 *
 * Counters are rows with versions of which only the newest counts, read from the newest down: an old snapshot that keeps the older
 * ones from being removed does not make reading them slower. All of it happens under the lock of the queue.
 */
export function groupFunctions(s: string): string[] {
  const active = /* sql */ `coalesce((
    select g.active from ${s}.queue_group g where g.queue = _queue and g.grp = _grp order by g.version desc limit 1), 0)`
  return [
    /* sql */ `create function ${s}.queue_group_set(_queue integer, _grp text, _active integer) returns void
    ${ATTRIBUTES} as $body$
declare
  newest bigint;
begin
  select g.version into newest from ${s}.queue_group g where g.queue = _queue and g.grp = _grp order by g.version desc limit 1;
  if newest is not null then
    delete from ${s}.queue_group g where g.queue = _queue and g.grp = _grp and g.version = newest;
  end if;
  if _active > 0 then
    insert into ${s}.queue_group (queue, grp, version, active) values (_queue, _grp, ${nextSeq(s)}, _active);
  end if;
end $body$`,
    // Answers the flags of a job that may run, and null for one that has been parked or has expired.
    /* sql */ `create function ${s}.queue_admit(
    _queue integer, _id bigint, _rank integer, _seq bigint, _attempt smallint, _flags smallint, _places integer, _now timestamptz) returns smallint
    ${ATTRIBUTES} as $body$
declare
  _grp text;
  taken integer;
begin
  if _flags & ${FLAG.expires} <> 0 and exists (select from ${s}.queue_job j where j.id = _id and j.expires_at <= _now) then
    perform ${s}.queue_finish(_queue, _id, null, 'expired', null, null);
    ${announce(s, '_queue', '_id', "'expired'")};
    if _flags & ${FLAG.counted} <> 0 then
      perform ${s}.queue_group_leave(_queue, (select j.grp from ${s}.queue_job j where j.id = _id), 1);
    end if;
    ${tally(s, '_queue', { waiting: '-1', expired: '1' })};
    return null;
  end if;
  if _flags & ${FLAG.group} = 0 or _flags & ${FLAG.counted} <> 0 or _places is null then return _flags; end if;
  select j.grp into _grp from ${s}.queue_job j where j.id = _id;
  taken := ${active};
  if taken < _places and not exists (select from ${s}.queue_parked p where p.queue = _queue and p.grp = _grp) then
    perform ${s}.queue_group_set(_queue, _grp, taken + 1);
    return _flags | ${FLAG.counted};
  end if;
  insert into ${s}.queue_parked (seq, id, queue, rank, attempt, flags, grp) values (_seq, _id, _queue, _rank, _attempt, _flags, _grp);
  return null;
end $body$`,
    // Gives back a place of a group, and makes ready what may have it.
    /* sql */ `create function ${s}.queue_group_leave(_queue integer, _grp text, _left integer) returns void
    ${ATTRIBUTES} as $body$
declare
  places integer := (select coalesce(q.group_concurrency, 1) from ${s}.queue q where q.id = _queue);
  taken integer := greatest(0, ${active} - _left);
  first record;
begin
  while taken < places loop
    delete from ${s}.queue_parked p where (p.queue, p.grp, p.rank, p.seq) in (
      select o.queue, o.grp, o.rank, o.seq from ${s}.queue_parked o
      where o.queue = _queue and o.grp = _grp order by o.rank, o.seq limit 1
    ) returning p.* into first;
    exit when not found;
    insert into ${s}.queue_ready (seq, id, queue, rank, attempt, flags)
    values (${nextSeq(s)}, first.id, _queue, first.rank, first.attempt, first.flags | ${FLAG.counted});
    taken := taken + 1;
  end loop;
  perform ${s}.queue_group_set(_queue, _grp, taken);
end $body$`,
  ]
}

/**
 * A rate as a theoretical time of arrival: each start moves it on by one interval, and may lie ahead of now by `burst` intervals.
 *
 * @see ITU-T I.371 for the generic cell rate algorithm
 */
export function rateFunctions(s: string): string[] {
  const arrival = /* sql */ `greatest(_now, coalesce((
    select r.arrival from ${s}.queue_rate r where r.queue = _queue order by r.version desc limit 1), _now))`
  return [
    /* sql */ `create function ${s}.queue_rate_left(
    _queue integer, _max integer, _burst integer, _per_ms float8, _now timestamptz, out allowed integer, out wait_ms float8)
    ${ATTRIBUTES} as $body$
declare
  step float8 := _per_ms / _max;
  ahead float8 := extract(epoch from ${arrival} - _now) * 1000;
begin
  allowed := greatest(0, floor(coalesce(_burst, _max) - ahead / step + 1e-6))::integer;
  wait_ms := case when allowed = 0 then ahead - (coalesce(_burst, _max) - 1) * step end;
end $body$`,
    /* sql */ `create function ${s}.queue_rate_spend(_queue integer, _count integer, _max integer, _per_ms float8, _now timestamptz) returns void
    ${ATTRIBUTES} as $body$
declare
  newest bigint;
  next timestamptz := ${arrival} + _count * (_per_ms / _max) * interval '1 millisecond';
begin
  select r.version into newest from ${s}.queue_rate r where r.queue = _queue order by r.version desc limit 1;
  if newest is not null then delete from ${s}.queue_rate r where r.queue = _queue and r.version = newest; end if;
  insert into ${s}.queue_rate (queue, version, arrival) values (_queue, coalesce(newest, 0) + 1, next);
end $body$`,
  ]
}
