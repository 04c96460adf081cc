/**
 * Shared groups: any member may be given any message.
 *
 * Invariants
 * - A message is given out once, when the group's cursor passes it, and after that only from `stream_pending`, when the lease it was given out with
 *   has ended. Each time it gets a lease of its own, and done or handed back is only what still has the lease it was given out with.
 * - Messages are new in the order of the stream. Those that come again do so when they are due, before new ones.
 */
import { literal } from '@howdah/core'
import { ATTRIBUTES, SEPARATOR } from '../fragments.js'

export function sharedFunctions(s: string): string[] {
  return [take(s), settle(s)]
}

/**
 * Gives out up to \`_limit\` messages: \`given\` is \`[[off, lease, attempts, key, headers, at], ...]\`, with the payloads beside it, \`due_ms\` how long until one
 * comes again. \`valid\` is set where the group was sent back, because the server was replaced.
 *
 * Messages that the stream has dropped are passed over, and \`lost\` says how many.
 */
function take(s: string): string {
  return /* sql */ `create function ${s}.stream_shared_take(
    _grp integer, _owner text, _limit integer, _lease_ms float8, _max_attempts integer,
    out given json, out payloads text, out due_ms float8, out lost bigint, out valid bigint, out epoch integer)
    ${ATTRIBUTES} as $body$
declare
  g ${s}.stream_group;
  low bigint;
  head bigint;
  boundary bigint;
  ends timestamptz := clock_timestamp() + _lease_ms * interval '1 ms';
  offs bigint[];
begin
  lost := 0;
  select p.* into g from ${s}.stream_group p where p.id = _grp;
  select t.floor, coalesce((select e.last from ${s}.stream_segment e where e.stream = t.id order by e.first desc limit 1), t.floor - 1)
    into low, head from ${s}.stream t where t.id = g.stream;
  epoch := coalesce((select e.epoch from ${s}.stream_epoch e order by e.epoch desc limit 1), 1);
  if head > g.cursor or stream_shared_take.epoch > g.epoch then
    select p.* into g from ${s}.stream_group p where p.id = _grp for update;
  end if;
  if stream_shared_take.epoch > g.epoch then
    boundary := least(head, ${s}.stream_boundary(g.stream, g.epoch));
    if g.cursor > boundary then
      valid := boundary;
      delete from ${s}.stream_pending p where p.grp = _grp and p.off > boundary;
      g.cursor := boundary;
    end if;
    update ${s}.stream_group p set epoch = stream_shared_take.epoch, cursor = g.cursor where p.id = _grp;
  end if;

  with due as (
    select p.off from ${s}.stream_pending p where p.grp = _grp and p.due_at <= clock_timestamp()
    order by p.due_at limit _limit for update skip locked
  ), again as (
    update ${s}.stream_pending p
    set lease = nextval(${literal(`${s}.stream_lease`)}), attempts = p.attempts + 1, due_at = ends, owner = _owner
    from due where p.grp = _grp and p.off = due.off
    returning p.off, p.attempts
  )
  select array_agg(a.off) filter (where a.attempts <= _max_attempts) into offs from again a;
  perform ${s}.stream_bury(_grp, p.off, p.attempts - 1, coalesce(p.error, 'It was given out and nothing was heard of it again.'))
  from ${s}.stream_pending p where p.grp = _grp and p.attempts > _max_attempts;
  delete from ${s}.stream_pending p where p.grp = _grp and p.attempts > _max_attempts;

  if head > g.cursor and cardinality(coalesce(offs, '{}')) < _limit then
    if g.cursor < low - 1 then
      lost := low - 1 - g.cursor;
      g.cursor := low - 1;
    end if;
    boundary := least(head, g.cursor + _limit - cardinality(coalesce(offs, '{}')));
    insert into ${s}.stream_pending (grp, off, lease, attempts, due_at, owner)
    select _grp, o, nextval(${literal(`${s}.stream_lease`)}), 1, ends, _owner from generate_series(g.cursor + 1, boundary) o;
    offs := offs || array(select o from generate_series(g.cursor + 1, boundary) o);
    update ${s}.stream_group p set cursor = boundary where p.id = _grp;
  end if;

  with found as materialized (
    select p.off, p.lease, p.attempts, m.key, m.headers, m.payload, (extract(epoch from m.at) * 1000)::bigint as at
    from ${s}.stream_pending p left join lateral ${s}.stream_message(g.stream, p.off) m on true
    where p.grp = _grp and p.off = any (offs)
  ), gone as (
    delete from ${s}.stream_pending p using found f where p.grp = _grp and p.off = f.off and f.payload is null returning p.off
  )
  select json_agg(json_build_array(f.off, f.lease, f.attempts, f.key, f.headers, f.at) order by f.off) filter (where f.payload is not null),
      string_agg(f.payload::text, ${literal(SEPARATOR)} order by f.off), lost + (select count(*) from gone)
    into given, payloads, lost from found f;
  due_ms := (select extract(epoch from p.due_at - clock_timestamp()) * 1000 from ${s}.stream_pending p where p.grp = _grp order by p.due_at limit 1);
end $body$`
}

/**
 * Ends messages: done where \`_delays\` is null, else to come again after that many milliseconds, with what was wrong. -1 keeps one for another
 * \`_lease_ms\`. Answers the offsets whose lease was no longer the one given.
 */
function settle(s: string): string {
  return /* sql */ `create function ${s}.stream_shared_settle(
    _grp integer, _offs bigint[], _leases bigint[], _delays float8[], _errors text[], _lease_ms float8) returns json ${ATTRIBUTES} as $body$
declare
  strangers json;
begin
  with given as materialized (
    select * from unnest(_offs, _leases, _delays, _errors) as u(off, lease, delay, error)
  ), done as (
    delete from ${s}.stream_pending p using given u
    where p.grp = _grp and p.off = u.off and p.lease = u.lease and u.delay is null returning p.off
  ), kept as (
    update ${s}.stream_pending p set
      due_at = clock_timestamp() + (case when u.delay < 0 then _lease_ms else u.delay end) * interval '1 ms',
      error = coalesce(u.error, p.error)
    from given u where p.grp = _grp and p.off = u.off and p.lease = u.lease and u.delay is not null returning p.off
  )
  select coalesce(json_agg(u.off), '[]'::json) into strangers from given u
  where u.off not in (select d.off from done d union all select k.off from kept k);
  return strangers;
end $body$`
}
