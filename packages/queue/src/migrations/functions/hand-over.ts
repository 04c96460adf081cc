import { ATTRIBUTES, nextLease, nextSeq } from '../fragments.js'

/**
 * `queue_hand_over` adds a job that the worker of the same process, which sleeps, gets at once: into a lease in place of `queue_ready`, with one
 * commit and no doorbell. Only where nothing else could be meant to run before it: no job is ready in the ranges given (see `take.ts`), the
 * queue is not paused and has no limits. Else it adds as ever, and `lease` is null.
 */
export function handOverFunction(s: string): string {
  return /* sql */ `create function ${s}.queue_hand_over(
    _queue integer, _payload text, _worker bigint, _lows integer[], _seqs bigint[], _highs integer[],
    out id text, out lease text, out jobs text)
    ${ATTRIBUTES} as $body$
#variable_conflict use_column
declare
  xid xid8 := pg_current_xact_id();
  now timestamptz := clock_timestamp();
  settings record;
  job bigint;
  number bigint;
begin
  select q.attempts into settings from ${s}.queue q
  where q.id = _queue and not q.paused and q.concurrency is null and q.group_concurrency is null and q.rate_max is null
    and exists (select from ${s}.queue_worker w where w.id = _worker) and (select e.last_value from ${s}.queue_epoch e) <> 0
    and not exists (
      select from unnest(_lows, _seqs, _highs) as f(low, seq, high)
      cross join lateral (
        select from ${s}.queue_ready r
        where r.queue = _queue and (r.rank, r.seq) > (f.low, f.seq) and r.rank <= f.high
        order by r.rank, r.seq limit 1
      ) t);
  if not found then
    id := ${s}.queue_add(_queue, _payload, null);
    return;
  end if;
  job := ${nextSeq(s)};
  number := ${nextLease(s)};
  with body as (
    insert into ${s}.queue_job (id, added_at, queue, rank, flags, payload) values (job, now, _queue, 0, 0, _payload::json)
  ), held as (
    insert into ${s}.queue_lease (id, worker, queue, started_at, ids) values (number, _worker, _queue, now, array[job])
  )
  insert into ${s}.queue_tally (at, queue, added, running) values (now, _queue, 1, 1);
  id := job;
  lease := number;
  jobs := '["' || job || '",0,0,0,' || settings.attempts || ',' || (extract(epoch from now) * 1000)::bigint || ',null,' || _payload || ']';
end $body$`
}
