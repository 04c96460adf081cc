import { FLAG, SPECIAL } from '../../flags.js'
import { ATTRIBUTES, lockQueue, nextLease, nextSeq, priorityOf, tally } from '../fragments.js'
import { SETTLE_PARAMETERS, SETTLE_VARIABLES, settleBody } from './settle.js'

/** Scheduled jobs that become ready in one call. */
const PROMOTED = 1000
/** Jobs looked at in one call, where many of them cannot run now. */
const EXAMINED = 2000

/**
 * `queue_take` is a worker's whole conversation with the server: it settles what has ended, makes ready what is due, and claims.
 *
 * The search for ready jobs is divided into ranges of (rank, seq): range n begins behind (`_lows[n]`, `_seqs[n]`) and ends with rank
 * `_highs[n]`. A worker leaves out what it knows to hold nothing, above all rows that were claimed and that an old snapshot
 * keeps the server from removing; one by one it would have to pass over them.
 *
 * The commit is asynchronous. A crash of the server may undo it: then jobs that were claimed or ended run again. `epoch` is another
 * one after that, and what the worker knew of ranges holds no more.
 */
export function takeFunction(s: string): string {
  return /* sql */ `create function ${s}.queue_take(
    _queue integer, _worker bigint, _want integer, _alone boolean,
    _lows integer[], _seqs bigint[], _highs integer[], _due_after timestamptz, ${SETTLE_PARAMETERS},
    out state text, out lease text, out count integer, out jobs text, out ranks text, out seqs text, out lost_jobs text, out dead_jobs text,
    out epoch text, out promoted integer, out due_after text, out due_in float8, out wait_in float8, out watched boolean, out limited boolean, out more boolean)
    ${ATTRIBUTES} as $body$
#variable_conflict use_column
declare${SETTLE_VARIABLES}
  settings record;
  locked boolean := false;
  want integer := _want;
  now timestamptz := clock_timestamp();
  rated record;
  tids tid[]; ids bigint[]; attempts smallint[]; flags smallint[]; found_ranks integer[]; found_seqs bigint[];
  special boolean := false;
  took bigint[] := '{}'; took_attempts smallint[] := '{}'; took_flags smallint[] := '{}';
  gone_ranks integer[] := '{}'; gone_seqs bigint[] := '{}';
  examined integer := 0;
  number bigint;
  n integer;
  verdict smallint;
  last_due timestamptz;
begin
  -- An assignment, where perform would be a query of its own.
  state := set_config('synchronous_commit', 'off', true);
  loop
    select q.paused, q.concurrency, q.attempts, q.group_concurrency, q.rate_max, q.rate_burst, q.rate_per_ms,
        exists (select from ${s}.queue_worker w where w.id = _worker) as known,
        exists (select from ${s}.queue_watch w where w.queue = _queue and w.until > now) as watched,
        (select e.last_value from ${s}.queue_epoch e) as epoch
      into settings from ${s}.queue q where q.id = _queue;
    exit when locked or settings.group_concurrency is null and settings.rate_max is null;
    ${lockQueue(s, '_queue')};
    -- Read once more: who had the lock may have changed them, and what is parked by old ones would never be let go on.
    locked := true;
  end loop;
  ${settleBody(s)}
  lost_jobs := array_to_string(lost, ',');
  count := 0;
  limited := settings.concurrency is not null;
  epoch := settings.epoch;
  watched := settings.watched;
  state := case
    when not settings.known or settings.epoch = 0 then 'unknown'
    when settings.paused then 'paused'
    else 'ok'
  end;
  if _due_after > now then
    -- The clock was set back: nothing that was known of times counts.
    _due_after := '-infinity';
    due_after := _due_after;
  end if;
  if _due_after is not null and state = 'ok' then
    with due as materialized (
      select d.ctid as tid, d.* from ${s}.queue_scheduled d
      where d.queue = _queue and d.run_at > _due_after and d.run_at <= now
      order by d.run_at, d.id limit ${PROMOTED} for update skip locked
    ), gone as (
      delete from ${s}.queue_scheduled d where d.ctid = any(array(select tid from due))
    ), placed as (
      insert into ${s}.queue_ready (seq, id, queue, rank, attempt, flags)
      select ${nextSeq(s)}, d.id, d.queue, d.rank, d.attempt, d.flags from due d order by d.run_at, d.id
    )
    select count(*), max(d.run_at) into promoted, last_due from due d;
    due_after := coalesce(due_after, last_due::text);
    if promoted > 0 then
      ${tally(s, '_queue', { waiting: 'promoted', delayed: '-promoted' })};
    end if;
    select greatest(0, extract(epoch from d.run_at - now) * 1000) into due_in from ${s}.queue_scheduled d
    where d.queue = _queue and d.run_at > now order by d.run_at limit 1;
  end if;
  if settings.rate_max is not null and want > 0 and state = 'ok' then
    rated := ${s}.queue_rate_left(_queue, settings.rate_max, settings.rate_burst, settings.rate_per_ms, now);
    want := least(want, rated.allowed);
    wait_in := rated.wait_ms;
  end if;
  while state = 'ok' and cardinality(took) < want and examined < ${EXAMINED} loop
    select array_agg(t.tid), array_agg(t.id), array_agg(t.attempt), array_agg(t.flags), array_agg(t.rank), array_agg(t.seq),
        coalesce(bool_or(t.flags & ${SPECIAL} <> 0), false)
      into tids, ids, attempts, flags, found_ranks, found_seqs, special
    from (
      select t.* from unnest(_lows, _seqs, _highs) as f(low, seq, high)
      cross join lateral (
        select r.ctid as tid, r.* from ${s}.queue_ready r
        where r.queue = _queue and (r.rank, r.seq) > (f.low, f.seq) and r.rank <= f.high
        order by r.rank, r.seq limit want - cardinality(took) for update skip locked
      ) t
      limit want - cardinality(took)
    ) t;
    exit when ids is null;
    if special then
      for n in 1 .. cardinality(ids) loop
        if flags[n] & ${FLAG.exclusive} <> 0 and (not _alone or cardinality(took) > 0) then
          if cardinality(took) = 0 then state := 'exclusive'; end if;
          want := 0;
          tids := tids[: n - 1]; found_ranks := found_ranks[: n - 1]; found_seqs := found_seqs[: n - 1];
          exit;
        end if;
        verdict := ${s}.queue_admit(_queue, ids[n], found_ranks[n], found_seqs[n], attempts[n], flags[n], settings.group_concurrency, now);
        if verdict is not null then
          took := took || ids[n]; took_attempts := took_attempts || attempts[n]; took_flags := took_flags || verdict;
          if verdict & ${FLAG.exclusive} <> 0 then
            want := 0;
            tids := tids[: n]; found_ranks := found_ranks[: n]; found_seqs := found_seqs[: n];
            exit;
          end if;
        end if;
      end loop;
      delete from ${s}.queue_ready r where r.ctid = any(tids);
    else
      took := took || ids; took_attempts := took_attempts || attempts; took_flags := took_flags || flags;
    end if;
    examined := examined + cardinality(tids);
    gone_ranks := gone_ranks || found_ranks; gone_seqs := gone_seqs || found_seqs;
    exit when not special;
  end loop;
  more := examined >= ${EXAMINED};
  count := cardinality(took);
  if count > 0 then
    number := ${nextLease(s)};
    lease := number;
    with gone as (
      delete from ${s}.queue_ready r where r.ctid = any(case when not special then tids end)
    ), held as (
      insert into ${s}.queue_lease (id, worker, queue, started_at, ids) values (number, _worker, _queue, now, took)
    ), counted as (
      insert into ${s}.queue_tally (at, queue, waiting, running) values (now, _queue, -count, count)
    )
    select string_agg('["' || t.id || '",' || t.attempt || ',' || t.flags || ',' || ${priorityOf('j.rank')} || ','
        || coalesce(j.attempts, settings.attempts) || ',' || (extract(epoch from j.added_at) * 1000)::bigint || ','
        || case when j.trace is null and j.key is null and j.grp is null then 'null'
          else json_build_object('trace', j.trace, 'key', j.key, 'group', j.grp)::text end || ',' || j.payload || ']', ',')
      into jobs
    from unnest(took, took_attempts, took_flags) as t(id, attempt, flags)
    join ${s}.queue_job j on j.id = t.id;
    if settings.rate_max is not null then
      perform ${s}.queue_rate_spend(_queue, count, settings.rate_max, settings.rate_per_ms, now);
    end if;
  end if;
  if cardinality(gone_seqs) > 0 then
    if gone_ranks[1] = gone_ranks[cardinality(gone_ranks)] then
      ranks := gone_ranks[1]; seqs := gone_seqs[cardinality(gone_seqs)];
    else
      select string_agg(g.rank::text, ','), string_agg(g.seq::text, ',') into ranks, seqs
      from (select g.rank, max(g.seq) as seq from unnest(gone_ranks, gone_seqs) as g(rank, seq) group by g.rank) g;
    end if;
  end if;
end $body$`
}
