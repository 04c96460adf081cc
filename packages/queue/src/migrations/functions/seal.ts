import { ATTRIBUTES } from '../fragments.js'

/** What a clock may be set back by without anybody noticing. */
const CLOCK_MARGIN_S = 10

/**
 * `queue_seal` proves up to which place ranks hold nothing more, and never will.
 *
 * Every number of `queue_seq` up to `_head` was drawn by a transaction whose id lies below `_horizon`: the id was taken before the
 * number, and `_horizon` was taken after `_head` was read. Once no transaction below `_horizon` runs, what they have added is visible or
 * will never be. So all up to `_head` is empty but for what can be seen now, and the first row that can be seen (one that somebody
 * else has claimed counts, for he may yet roll back) is where it ends.
 *
 * Snapshots that only read have no id and hold nothing up here, though it is they that keep dead rows from being removed.
 *
 * The same holds of `queue_scheduled` with times: what is added after `_due_head` was read is due after it, or it is not put there. It lies
 * a little back, for a clock may be set back a little; one that is set back by more, a claim notices.
 */
export function sealFunction(s: string): string {
  return /* sql */ `create function ${s}.queue_seal(
    _queue integer, _ranks integer[], _seqs bigint[], _due timestamptz, _horizon xid8, _head bigint, _due_head timestamptz,
    out epoch text, out sealed boolean, out seqs text, out due text, out horizon text, out head text, out due_head text)
    ${ATTRIBUTES} as $body$
#variable_conflict use_variable
begin
  epoch := set_config('synchronous_commit', 'off', true);
  epoch := (select e.last_value from ${s}.queue_epoch e);
  sealed := false;
  -- In one snapshot for all statements nothing of this can be said.
  if current_setting('transaction_isolation') <> 'read committed' then return; end if;
  if pg_snapshot_xmin(pg_current_snapshot()) >= _horizon then
    sealed := true;
    select string_agg(least(_head, coalesce((
        select r.seq - 1 from ${s}.queue_ready r
        where r.queue = _queue and r.rank = f.rank and r.seq > f.seq
        order by r.seq limit 1), _head))::text, ',' order by f.n)
      into seqs from unnest(_ranks, _seqs) with ordinality as f(rank, seq, n);
    due := least(_due_head, coalesce((
        select d.run_at - interval '1 microsecond' from ${s}.queue_scheduled d
        where d.queue = _queue and d.run_at > _due order by d.run_at limit 1), _due_head));
  end if;
  -- A sequence that has not been drawn from says 1, which is the first number to come.
  head := (select case when q.is_called then q.last_value else q.last_value - 1 end from ${s}.queue_seq q);
  due_head := clock_timestamp() - interval '${CLOCK_MARGIN_S} seconds';
  -- Not the snapshot's xmax, which lies below transactions that run: an id of our own is above all that were given before.
  horizon := pg_current_xact_id();
end $body$`
}
