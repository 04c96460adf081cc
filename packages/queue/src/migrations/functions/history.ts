import { ATTRIBUTES } from '../fragments.js'
import { TALLY_COLUMNS } from '../tables.js'

/** Tally rows that one call folds. */
const FOLDED = 20_000

/**
 * What remains of jobs that ended, and of what was counted.
 *
 * `queue_fold` keeps the tally short: rows older than a minute become one for each minute, after a day for each hour, after a month for
 * each day. A row that a transaction has not committed yet is folded another time.
 *
 * `queue_sweep` removes bodies and ends of jobs whose time is over, oldest first.
 */
export function historyFunctions(s: string): string[] {
  const sums = TALLY_COLUMNS.map((name) => `sum(f.${name})::integer`).join(', ')
  const nonZero = TALLY_COLUMNS.map((name) => `sum(f.${name}) <> 0`).join(' or ')
  return [
    /* sql */ `create function ${s}.queue_fold(_queue integer) returns void
    ${ATTRIBUTES} as $body$
declare
  now timestamptz := statement_timestamp();
begin
  if not pg_try_advisory_xact_lock(hashtextextended('howdah.fold', _queue)) then return; end if;
  with picked as materialized (
    select t.ctid as tid from ${s}.queue_tally t
    where t.queue = _queue and t.at < date_trunc('minute', now) and t.at <> ${bucket('t.at')}
    limit ${FOLDED} for update skip locked
  ), folded as (
    delete from ${s}.queue_tally t where t.ctid = any(array(select p.tid from picked p)) returning t.*
  )
  insert into ${s}.queue_tally (at, queue, ${TALLY_COLUMNS.join(', ')})
  select ${bucket('f.at')} as bucket, _queue, ${sums}
  from folded f group by bucket
  having ${nonZero};
end $body$`,
    /* sql */ `create function ${s}.queue_sweep(_queue integer, _limit integer) returns boolean
    ${ATTRIBUTES} as $body$
declare
  settings record;
  now timestamptz := clock_timestamp();
  gone bigint[];
  ended bigint[];
begin
  if not pg_try_advisory_xact_lock(hashtextextended('howdah.sweep', _queue)) then return false; end if;
  select q.keep_completed_ms, q.keep_failed_ms, q.keep_cancelled_ms into settings from ${s}.queue q where q.id = _queue;
  with old as materialized (
    select d.ctid as tid from ${s}.queue_done d
    where d.queue = _queue and d.finished_at < now - settings.keep_completed_ms * interval '1 millisecond'
    order by d.finished_at limit greatest(1, _limit / 20)
  ), removed as (
    delete from ${s}.queue_done d where d.ctid = any(array(select o.tid from old o)) returning d.ids
  )
  select array_agg(i) into gone from removed r cross join unnest(r.ids) as i;
  -- A child is kept for as long as its parent waits or runs.
  with old as materialized (
    select o.* from (values ('completed', settings.keep_completed_ms), ('failed', settings.keep_failed_ms),
      ('cancelled', settings.keep_cancelled_ms), ('discarded', settings.keep_cancelled_ms), ('expired', settings.keep_cancelled_ms)
    ) as k(outcome, keep)
    cross join lateral (
      select r.id, r.outcome from ${s}.queue_result r
      where r.queue = _queue and r.outcome = k.outcome and r.finished_at < now - k.keep * interval '1 millisecond'
      order by r.finished_at limit _limit
    ) o
  ), removed as (
    delete from ${s}.queue_result r using old o where r.id = o.id
      and not exists (
        select from ${s}.queue_job j join ${s}.queue_job p on p.id = j.parent
        where j.id = r.id and not exists (select from ${s}.queue_result e where e.id = p.id) and p.added_at > now - interval '30 days'
      )
    returning r.id, r.outcome
  ), uncounted as (
    insert into ${s}.queue_tally (at, queue, dead) select statement_timestamp(), _queue, -count(*) from removed r where r.outcome = 'failed'
    having count(*) > 0
  )
  select array_agg(r.id) into ended from removed r;
  gone := gone || ended;
  if gone is null then return false; end if;
  delete from ${s}.queue_job j where j.id = any(gone);
  delete from ${s}.queue_step t where t.job = any(gone);
  delete from ${s}.queue_progress p where p.id = any(gone);
  delete from ${s}.queue_child c where c.parent = any(gone);
  return cardinality(gone) >= _limit / 20;
end $body$`,
  ]
}

/** The minute, hour or day that a time is folded into. */
function bucket(at: string): string {
  return /* sql */ `date_trunc(case when ${at} < now - interval '30 days' then 'day' when ${at} < now - interval '1 day' then 'hour' else 'minute' end, ${at}, 'UTC')`
}
