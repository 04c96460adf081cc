/**
 * Ordered groups: each partition has one owner at a time, who goes through the stream and does the messages whose key falls to it.
 *
 * Invariants
 * - A partition is taken over by raising its fence, and its cursor moves only under the fence its owner was given. Moving it is the last statement
 *   of the transaction that did the work, so of two owners at most one commits.
 * - A member takes no more than its share: partitions over members that live, rounded up.
 */
import { ATTRIBUTES } from '../fragments.js'

export function orderedFunctions(s: string): string[] {
  return [renew(s), advance(s), failed(s), release(s)]
}

/**
 * Says that a member lives, moves the cursors of its partitions to where it has passed messages of others, takes partitions nobody owns up to its
 * share, and answers all it owns: `[[part, fence, epoch, cursor, attempts], ...]`.
 */
function renew(s: string): string {
  return /* sql */ `create function ${s}.stream_ordered_renew(
    _grp integer, _member text, _lease_ms float8, _parts integer[], _fences bigint[], _cursors bigint[], out share integer, out owned json)
    ${ATTRIBUTES} as $body$
declare
  ends timestamptz := clock_timestamp() + _lease_ms * interval '1 ms';
begin
  insert into ${s}.stream_member (grp, id, until) values (_grp, _member, ends)
  on conflict (grp, id) do update set until = excluded.until;
  delete from ${s}.stream_member m where m.grp = _grp and m.until < clock_timestamp();
  share := (select ceil(g.partitions::numeric / greatest(1, (select count(*) from ${s}.stream_member m where m.grp = _grp)))::integer
    from ${s}.stream_group g where g.id = _grp);
  update ${s}.stream_partition p set until = ends, cursor = greatest(p.cursor, h.cursor)
  from unnest(_parts, _fences, _cursors) as h(part, fence, cursor)
  where p.grp = _grp and p.part = h.part and p.fence = h.fence and p.owner = _member;
  with free as (
    select p.part from ${s}.stream_partition p
    where p.grp = _grp and (p.owner is null or p.until < clock_timestamp())
    order by p.part
    limit greatest(0, share - (select count(*) from ${s}.stream_partition q where q.grp = _grp and q.owner = _member and q.until >= clock_timestamp()))
    for update skip locked
  )
  update ${s}.stream_partition p set owner = _member, until = ends, fence = p.fence + 1
  from free where p.grp = _grp and p.part = free.part;
  owned := (select coalesce(json_agg(json_build_array(p.part, p.fence, p.epoch, p.cursor, p.attempts) order by p.part), '[]'::json)
    from ${s}.stream_partition p where p.grp = _grp and p.owner = _member and p.until >= clock_timestamp());
end $body$`
}

/** Moves a cursor, in the transaction of the work. Answers whether the partition is still owned under this fence. */
function advance(s: string): string {
  return /* sql */ `create function ${s}.stream_ordered_advance(_grp integer, _part integer, _fence bigint, _epoch integer, _cursor bigint) returns boolean
    ${ATTRIBUTES} as $body$
begin
  update ${s}.stream_partition p set cursor = _cursor, epoch = _epoch, attempts = 0
  where p.grp = _grp and p.part = _part and p.fence = _fence;
  return found;
end $body$`
}

/** Counts a failure of the message after the cursor, and buries it when it was the last. Answers `null` when the partition is another's. */
function failed(s: string): string {
  return /* sql */ `create function ${s}.stream_ordered_failed(
    _grp integer, _part integer, _fence bigint, _off bigint, _max_attempts integer, _error text, out attempts integer, out dead boolean)
    ${ATTRIBUTES} as $body$
begin
  update ${s}.stream_partition p set attempts = p.attempts + 1
  where p.grp = _grp and p.part = _part and p.fence = _fence returning p.attempts into attempts;
  dead := attempts >= _max_attempts;
  if dead then
    perform ${s}.stream_bury(_grp, _off, attempts, _error);
    update ${s}.stream_partition p set cursor = _off, attempts = 0 where p.grp = _grp and p.part = _part;
  end if;
end $body$`
}

/** Gives partitions up, at once to be taken by others; with \`_leave\`, the membership too. */
function release(s: string): string {
  return /* sql */ `create function ${s}.stream_ordered_release(
    _grp integer, _member text, _parts integer[], _fences bigint[], _cursors bigint[], _leave boolean) returns void ${ATTRIBUTES} as $body$
begin
  update ${s}.stream_partition p set owner = null, until = null, cursor = greatest(p.cursor, h.cursor)
  from unnest(_parts, _fences, _cursors) as h(part, fence, cursor)
  where p.grp = _grp and p.part = h.part and p.fence = h.fence;
  if _leave then delete from ${s}.stream_member m where m.grp = _grp and m.id = _member; end if;
end $body$`
}
