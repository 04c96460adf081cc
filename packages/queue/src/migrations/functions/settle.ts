import { CONSEQUENCES } from '../../flags.js'
import { ATTRIBUTES, lockQueue, tally } from '../fragments.js'

/** Parameters that say what became of jobs. */
export const SETTLE_PARAMETERS =
  '_done bigint[], _cut_leases bigint[], _cut_ids bigint[], _ended jsonb'

/**
 * Ends jobs.
 *
 * - `_done`: leases all of whose jobs have completed without output and without consequences. One delete a lease.
 * - `_cut_leases`, `_cut_ids`: pairs of a lease and a job that leaves it. Those without an entry in `_ended` have completed likewise.
 * - `_ended`: by job id what else became of it, `{k: kind, o: output, e: error, d: delay in ms}`; see `end.ts` for the kinds.
 *
 * A lease that is not there any more ends nothing. `lost` are the jobs and leases of which that is so, `L` before a lease's id.
 */
export function settleBody(s: string): string {
  return /* sql */ `
  if _done is not null then
    with gone as (
      delete from ${s}.queue_lease l where l.id = any(_done) returning l.id, l.started_at, l.ids
    ), kept as (
      insert into ${s}.queue_done (finished_at, started_at, queue, ids)
      select statement_timestamp(), g.started_at, _queue, g.ids from gone g
    )
    select coalesce(sum(cardinality(g.ids)), 0), array_agg(g.id) into completed, settled from gone g;
    if cardinality(settled) is distinct from cardinality(_done) then
      select array_agg('L' || d) into lost from unnest(_done) as d where d <> all(coalesce(settled, '{}'));
    end if;
    running := running - completed;
  end if;
  if _cut_ids is not null then
    with asked as (
      select c.lease, array_agg(c.id) as ids from unnest(_cut_leases, _cut_ids) as c(lease, id) group by c.lease
    ), held as materialized (
      select l.id, l.started_at, l.ids, a.ids as asked
      from asked a join ${s}.queue_lease l on l.id = a.lease
      order by l.id for no key update of l
    ), rest as materialized (
      select h.id, h.started_at,
        (select array_agg(i) from unnest(h.ids) as i where i <> all(h.asked)) as rest,
        (select array_agg(i) from unnest(h.asked) as i where i = any(h.ids)) as gone
      from held h
    ), shrunk as (
      update ${s}.queue_lease l set ids = r.rest from rest r where l.id = r.id and r.rest is not null
    ), ended as (
      delete from ${s}.queue_lease l using rest r where l.id = r.id and r.rest is null
    ), plain as (
      select r.started_at, array_agg(i) as ids
      from rest r cross join unnest(r.gone) as i
      where _ended is null or not _ended ? i::text
      group by r.id, r.started_at
    ), kept as (
      insert into ${s}.queue_done (finished_at, started_at, queue, ids)
      select statement_timestamp(), p.started_at, _queue, p.ids from plain p
      returning cardinality(ids) as n
    )
    select coalesce((select sum(k.n) from kept k), 0), array_agg(i), array_agg(r.started_at)
      into cut, settled, starts
      from rest r cross join unnest(r.gone) as i;
    completed := completed + cut;
    running := running - coalesce(cardinality(settled), 0);
    if cardinality(settled) is distinct from cardinality(_cut_ids) then
      lost := lost || (select array_agg(c::text) from unnest(_cut_ids) as c where c <> all(coalesce(settled, '{}')));
    end if;
    if _ended is not null and settled is not null then
      dead_jobs := ${s}.queue_end(_queue, settled, starts, _ended);
    end if;
  end if;
  if running <> 0 then
    ${tally(s, '_queue', { running: 'running', completed: 'completed' })};
  end if;`
}

/** Variables of {@link settleBody}. */
export const SETTLE_VARIABLES = /* sql */ `
  completed integer := 0;
  cut integer;
  running integer := 0;
  settled bigint[];
  starts timestamptz[];
  lost text[];`

/** `queue_settle` ends jobs without claiming others: what a worker does that closes. */
export function settleFunction(s: string): string {
  return /* sql */ `create function ${s}.queue_settle(_queue integer, ${SETTLE_PARAMETERS}, out lost_jobs text, out dead_jobs text)
    ${ATTRIBUTES} as $body$
#variable_conflict use_column
declare${SETTLE_VARIABLES}
begin
  perform set_config('synchronous_commit', 'off', true);
  if exists (select from ${s}.queue q where q.id = _queue and q.group_concurrency is not null) then
    ${lockQueue(s, '_queue')};
  end if;
  ${settleBody(s)}
  lost_jobs := array_to_string(lost, ',');
end $body$`
}

/** Whether a job of these flags may end within `_done`. */
export function endsPlainly(flags: number): boolean {
  return (flags & CONSEQUENCES) === 0
}
