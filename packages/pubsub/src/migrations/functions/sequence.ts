/**
 * Puts what was appended in order.
 *
 * A *tick* is a run of `stream_sequence` that found something. It gives the next offsets of each stream to the rows of `stream_log` that its
 * snapshot shows and that of the tick before did not, in the order of their ids, and keeps its snapshot for the next.
 *
 * Invariants
 * - Ticks follow one another: number n + 1 is inserted by someone who has seen number n, and the primary key lets one of them do it. So the
 *   snapshots of ticks only grow, and each committed row falls between two of them: none is missed, and none comes twice. The lock
 *   merely spares others the work, and one whose snapshot is older than the last tick, as under repeatable read, fails on that key.
 * - If one append committed before another drew its id, every snapshot that shows the second shows the first. So it has the lower offset: it falls
 *   in an earlier tick, or in the same one with a lower id. Writers of one row, who wait for each other, thereby
 *   come in the order in which they changed it.
 * - An append takes no lock and tells nobody. A transaction that runs for an hour holds up its own rows only: rows of ids that were
 *   running at the last tick are looked for one by one, all others lie above its snapshot.
 * - It runs in a transaction that has written nothing, or the snapshot would take its rows for committed. What it writes is on disk before
 *   anybody reads it, or a crash would give out its offsets again.
 * - Transaction ids mean nothing on a server that was restored from a dump, or upgraded. So every run asks first which server this is; on another one
 *   all rows are given an id below any to come, and those that no segment lists are put in order once.
 */
import { literal } from '@howdah/core'
import { ATTRIBUTES } from '../fragments.js'

/** Messages of one segment: a reader in its middle looks at these many ids too many, at most. */
const SEGMENT_MESSAGES = 500

/** Ticks kept for a look at what happened; only the last one is read. */
const TICKS_KEPT = 1000

/** Stand for every transaction of a server before this one: that of a row which is in order, and of one which is not. Both are below any that is given out. */
const BEFORE = `'3'::xid8`
const BEFORE_UNLISTED = `'4'::xid8`

export function sequenceFunctions(s: string): string[] {
  return [unsequenced(s), epoch(s), sequence(s)]
}

/** The snapshot of the last tick; before the first, one that shows nothing. */
function lastSnapshot(s: string): string {
  return /* sql */ `coalesce((select k.snapshot from ${s}.stream_tick k order by k.tick desc limit 1), '3:3:'::pg_snapshot)`
}

/** Rows that a snapshot does not show, as far as the caller's does. Ids of running transactions are few: one look-up each. */
function since(s: string, snapshot: string): string {
  return /* sql */ `(
      select l.id, l.stream, l.name, l.payload from ${s}.stream_log l where l.xid >= pg_snapshot_xmax(${snapshot})
      union all
      select l.id, l.stream, l.name, l.payload from ${s}.stream_log l where l.xid = any (array(select pg_snapshot_xip(${snapshot})))
    )`
}

/** The stream of a row that may give but its name. */
function streamOf(s: string, row: string): string {
  return /* sql */ `coalesce(${row}.stream, (select t.id from ${s}.stream t where t.name = ${row}.name))`
}

/** For everybody else: what is committed, as far as the caller sees, and not in order yet. */
function unsequenced(s: string): string {
  return /* sql */ `create function ${s}.stream_unsequenced() returns table (id bigint, stream integer)
    ${ATTRIBUTES} stable as $body$
declare
  seen pg_snapshot := ${lastSnapshot(s)};
begin
  return query select u.id, ${streamOf(s, 'u')} from ${since(s, 'seen')} u;
end $body$`
}

/**
 * Answers the epoch of this server, and begins one where it is another server than before. On one that was made from a dump, the tick it leaves
 * behind shows the listed rows and nothing else.
 */
function epoch(s: string): string {
  return /* sql */ `create function ${s}.stream_epoch_now() returns integer ${ATTRIBUTES} as $body$
declare
  known ${s}.stream_epoch;
  id_now text := (select c.system_identifier::text from pg_control_system() c);
  line_now text := left(pg_walfile_name(pg_current_wal_lsn()), 8);
begin
  select * into known from ${s}.stream_epoch e order by e.epoch desc limit 1;
  if known.system_id = id_now and known.timeline = line_now then return known.epoch; end if;
  insert into ${s}.stream_epoch (epoch, system_id, timeline) values (coalesce(known.epoch, 0) + 1, id_now, line_now);
  if known.system_id <> id_now then
    update ${s}.stream_log l set xid = ${BEFORE}
    from (select unnest(g.ids) as id from ${s}.stream_segment g) listed
    where l.id = listed.id and l.xid <> ${BEFORE};
    update ${s}.stream_log l set xid = ${BEFORE_UNLISTED} where l.xid <> ${BEFORE};
    insert into ${s}.stream_tick (tick, snapshot)
    select coalesce(max(t.tick), 0) + 1, '4:4:' from ${s}.stream_tick t;
  end if;
  return coalesce(known.epoch, 0) + 1;
end $body$`
}

/**
 * Puts in order what can be seen. Answers \`done\` with the new heads by stream, \`idle\` when there was nothing, or \`busy\` when somebody else is at
 * it and \`_wait\` was not set; and the last tick, and the isolation it ran in.
 */
function sequence(s: string): string {
  return /* sql */ `create function ${s}.stream_sequence(
    _wait boolean default false, out outcome text, out tick bigint, out heads json, out isolation text)
    ${ATTRIBUTES} as $body$
declare
  now_epoch integer;
  seen pg_snapshot;
  lock_key bigint := hashtextextended(${literal(`howdah.stream:${s}`)}, 0);
begin
  if pg_current_xact_id_if_assigned() is not null then
    raise active_sql_transaction using message = 'Messages are put in order in a transaction that has written nothing.';
  end if;
  isolation := current_setting('transaction_isolation');
  outcome := 'idle';
  tick := coalesce((select t.tick from ${s}.stream_tick t order by t.tick desc limit 1), 0);
  -- A standby shows what its primary has put in order.
  if pg_is_in_recovery() then return; end if;
  if _wait then
    perform pg_advisory_xact_lock(lock_key);
  elsif not pg_try_advisory_xact_lock(lock_key) then
    outcome := 'busy';
    return;
  end if;
  -- Nobody may read what a crash could still undo.
  if current_setting('synchronous_commit') = 'off' then
    perform set_config('synchronous_commit', 'local', true);
  end if;
  -- First, for on another server the last tick says nothing about what is in order.
  now_epoch := ${s}.stream_epoch_now();
  tick := coalesce((select t.tick from ${s}.stream_tick t order by t.tick desc limit 1), 0);
  seen := ${lastSnapshot(s)};
  if not exists (select from ${since(s, 'seen')} u) then return; end if;
  insert into ${s}.stream (name)
  select distinct u.name from ${since(s, 'seen')} u
  where u.stream is null and not exists (select from ${s}.stream t where t.name = u.name) order by u.name
  on conflict do nothing;
  with cur as materialized (
    select pg_current_snapshot() as snapshot, (select coalesce(max(t.tick), 0) + 1 from ${s}.stream_tick t) as tick
  ), rows as materialized (
    select u.id, ${streamOf(s, 'u')} as stream, pg_column_size(u.payload)::bigint as bytes from ${since(s, 'seen')} u
  ), fresh as materialized (
    select u.stream, u.id, row_number() over own - 1 as n, sum(u.bytes) over own as bytes
    from rows u window own as (partition by u.stream order by u.id)
  ), ends as materialized (
    select t.id as stream, coalesce(g.last, t.floor - 1) as head, coalesce(g.total, 0) as total, g.epoch
    from ${s}.stream t
    left join lateral (
      select e.last, e.total, e.epoch from ${s}.stream_segment e where e.stream = t.id order by e.first desc limit 1
    ) g on true
    where t.id in (select f.stream from fresh f)
  ), listed as (
    insert into ${s}.stream_segment (stream, first, last, epoch, total, ids)
    select e.stream, e.head + 1 + min(f.n), e.head + 1 + max(f.n), now_epoch, e.total + max(f.bytes), array_agg(f.id order by f.id)
    from fresh f join ends e on e.stream = f.stream
    group by e.stream, e.head, e.total, f.n / ${SEGMENT_MESSAGES}
    returning stream, last
  ), began as (
    insert into ${s}.stream_epoch_start (stream, epoch, first)
    select e.stream, now_epoch, e.head + 1 from ends e where now_epoch > 1 and e.epoch is distinct from now_epoch
    on conflict do nothing
  ), dropped as (
    delete from ${s}.stream_log l
    where l.id in (select f.id from fresh f where not exists (select from ends e where e.stream = f.stream))
  ), ticked as (
    insert into ${s}.stream_tick (tick, snapshot)
    select c.tick, c.snapshot from cur c where exists (select from fresh)
    returning stream_tick.tick
  )
  select 'done', k.tick, (select json_object_agg(h.stream, h.head) from (
      select l.stream, max(l.last) as head from listed l group by l.stream) h)
    into outcome, tick, heads from ticked k;
  if tick % ${TICKS_KEPT} = 0 then
    delete from ${s}.stream_tick t where t.tick <= stream_sequence.tick - ${TICKS_KEPT};
  end if;
end $body$`
}
