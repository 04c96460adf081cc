import { ATTRIBUTES } from '../fragments.js'

/** Segments that one call takes away of one stream: some ten thousand messages at most, so that no transaction is long. */
const SEGMENTS_AT_ONCE = 50

/**
 * `stream_trim` takes away what streams keep no longer, whole segments from the oldest on, so that at least what was asked for stays, and answers
 * whether there is more. `stream_drop` takes a stream away with all that belongs to it.
 *
 * Rows are deleted rather than partitions dropped: streams have limits of their own, and a drop would wait for every reader of any stream and hold
 * up every append behind it. The rows lie at the front of the log, where nobody reads.
 */
export function trimFunctions(s: string): string[] {
  return [trim(s), drop(s)]
}

function trim(s: string): string {
  return /* sql */ `create function ${s}.stream_trim() returns boolean ${ATTRIBUTES} as $body$
declare
  t ${s}.stream;
  head record;
  upto bigint;
  segments integer;
  more boolean := false;
begin
  delete from ${s}.stream_dedup d where (d.stream, d.key) in (
    select e.stream, e.key from ${s}.stream_dedup e where e.expires_at <= statement_timestamp() order by e.expires_at limit 10000 for update skip locked);
  for t in
    select * from ${s}.stream p where p.max_age_ms is not null or p.max_bytes is not null or p.max_messages is not null
    order by p.id for update skip locked
  loop
    select g.last, g.total into head from ${s}.stream_segment g where g.stream = t.id order by g.first desc limit 1;
    select max(o.last), count(*) into upto, segments from (
      select g.last, bool_and(coalesce(
        g.at < statement_timestamp() - t.max_age_ms * interval '1 ms' or head.total - g.total >= t.max_bytes or head.last - g.last >= t.max_messages, false))
        over (order by g.first) as old
      from (select * from ${s}.stream_segment e where e.stream = t.id order by e.first limit ${SEGMENTS_AT_ONCE}) g
    ) o where o.old;
    continue when upto is null;
    with gone as (
      delete from ${s}.stream_segment g where g.stream = t.id and g.first <= upto returning g.ids
    )
    delete from ${s}.stream_log l using (select unnest(g.ids) as id from gone g) i where l.id = i.id;
    update ${s}.stream p set floor = upto + 1 where p.id = t.id;
    more := more or segments = ${SEGMENTS_AT_ONCE};
  end loop;
  return more;
end $body$`
}

function drop(s: string): string {
  return /* sql */ `create function ${s}.stream_drop(_stream integer) returns void ${ATTRIBUTES} as $body$
begin
  perform ${s}.stream_group_drop(g.id) from ${s}.stream_group g where g.stream = _stream;
  with gone as (
    delete from ${s}.stream_segment g where g.stream = _stream returning g.ids
  )
  delete from ${s}.stream_log l using (select unnest(g.ids) as id from gone g) i where l.id = i.id;
  delete from ${s}.stream_log l where l.id in (select u.id from ${s}.stream_unsequenced() u where u.stream = _stream);
  delete from ${s}.stream_epoch_start e where e.stream = _stream;
  delete from ${s}.stream_dedup d where d.stream = _stream;
  delete from ${s}.stream_claim c where c.stream = _stream;
  delete from ${s}.stream t where t.id = _stream;
end $body$`
}
