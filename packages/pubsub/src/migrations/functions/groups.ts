import { ATTRIBUTES } from '../fragments.js'

/** What both kinds of groups share: opening them, finding a message by its offset, and burying it. */
export function groupFunctions(s: string): string[] {
  return [message(s), bury(s), boundary(s), openGroup(s), seek(s), dropGroup(s)]
}

/** The row of the log at an offset; nothing once it is gone. */
function message(s: string): string {
  return /* sql */ `create function ${s}.stream_message(_stream integer, _off bigint) returns setof ${s}.stream_log
    ${ATTRIBUTES} stable as $body$
begin
  return query
    select l.* from (
      select g.ids[(_off - g.first + 1)::integer] as id from ${s}.stream_segment g
      where g.stream = _stream and g.first <= _off order by g.first desc limit 1
    ) place join ${s}.stream_log l on l.id = place.id;
end $body$`
}

/** Makes a message a dead letter of the group, with what is left of it. */
function bury(s: string): string {
  return /* sql */ `create function ${s}.stream_bury(_grp integer, _off bigint, _attempts integer, _error text) returns void
    ${ATTRIBUTES} as $body$
begin
  insert into ${s}.stream_dead (grp, off, attempts, error, key, headers, payload, appended_at)
  select _grp, _off, _attempts, _error, m.key, m.headers, m.payload, m.at
  from ${s}.stream_group g left join lateral ${s}.stream_message(g.stream, _off) m on true
  where g.id = _grp
  on conflict (grp, off) do update set attempts = excluded.attempts, error = excluded.error, at = excluded.at;
end $body$`
}

/** The last offset that still holds for who has read in an epoch; null where all do. */
function boundary(s: string): string {
  return /* sql */ `create function ${s}.stream_boundary(_stream integer, _epoch integer) returns bigint
    ${ATTRIBUTES} stable as $body$
begin
  return (select e.first - 1 from ${s}.stream_epoch_start e where e.stream = _stream and e.epoch > _epoch order by e.epoch limit 1);
end $body$`
}

/**
 * Answers a group, making it if need be. \`_after\` is where a new one begins: null at the beginning, -1 at the end. What the
 * group is was said by whoever made it.
 */
function openGroup(s: string): string {
  return /* sql */ `create function ${s}.stream_group_open(
    _stream integer, _name text, _mode text, _partitions integer, _epoch integer, _after bigint, out id integer, out mode text, out partitions integer)
    ${ATTRIBUTES} as $body$
declare
  place record;
begin
  select g.id, g.mode, g.partitions into id, mode, partitions from ${s}.stream_group g where g.stream = _stream and g.name = _name;
  if id is not null then return; end if;
  select r.epoch, r.start into place from ${s}.stream_read(_stream, _epoch, _after, 1, 1) r;
  insert into ${s}.stream_group (stream, name, mode, partitions, epoch, cursor)
  values (_stream, _name, _mode, _partitions, place.epoch, place.start)
  on conflict do nothing returning stream_group.id into id;
  if id is not null and _mode = 'ordered' then
    insert into ${s}.stream_partition (grp, part, epoch, cursor)
    select stream_group_open.id, p, place.epoch, place.start from generate_series(0, _partitions - 1) p;
  end if;
  select g.id, g.mode, g.partitions into id, mode, partitions from ${s}.stream_group g where g.stream = _stream and g.name = _name;
end $body$`
}

/** Sends a group to another place. Whoever works on something loses it. */
function seek(s: string): string {
  return /* sql */ `create function ${s}.stream_group_seek(_grp integer, _epoch integer, _after bigint) returns void ${ATTRIBUTES} as $body$
declare
  place record;
begin
  select r.epoch, r.start into place
  from ${s}.stream_group g, ${s}.stream_read(g.stream, _epoch, _after, 1, 1) r where g.id = _grp;
  update ${s}.stream_group g set epoch = place.epoch, cursor = place.start where g.id = _grp;
  update ${s}.stream_partition p set epoch = place.epoch, cursor = place.start, fence = p.fence + 1, owner = null, until = null, attempts = 0
  where p.grp = _grp;
  delete from ${s}.stream_pending p where p.grp = _grp;
end $body$`
}

function dropGroup(s: string): string {
  return /* sql */ `create function ${s}.stream_group_drop(_grp integer) returns void ${ATTRIBUTES} as $body$
begin
  delete from ${s}.stream_group g where g.id = _grp;
  delete from ${s}.stream_member m where m.grp = _grp;
  delete from ${s}.stream_partition p where p.grp = _grp;
  delete from ${s}.stream_pending p where p.grp = _grp;
  delete from ${s}.stream_dead d where d.grp = _grp;
end $body$`
}
