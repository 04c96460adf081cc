import { literal } from '@howdah/core'
import { ATTRIBUTES, SEPARATOR } from '../fragments.js'

/** Milliseconds since the epoch, as text. */
const AT = `(extract(epoch from l.at) * 1000)::bigint::text`

/**
 * `stream_read` answers what follows an offset, from one snapshot: which messages, and how they continue what the reader knows.
 *
 * `_after` null is the beginning, -1 the end. `_epoch` is that of the position, null where the reader has but an offset.
 * Messages of a read follow one another, so the offset of the first tells all.
 */
export function readFunctions(s: string): string[] {
  return [
    /* sql */ `create function ${s}.stream_read(
    _stream integer, _epoch integer, _after bigint, _limit integer, _bytes bigint,
    out epoch integer, out head bigint, out start bigint, out continuity text, out valid bigint, out lost bigint,
    out payloads text, out keys json, out headers json, out ats text)
    ${ATTRIBUTES} stable as $body$
declare
  low bigint;
  boundary bigint;
begin
  select t.floor, coalesce((select g.last from ${s}.stream_segment g where g.stream = t.id order by g.first desc limit 1), t.floor - 1)
    into low, head from ${s}.stream t where t.id = _stream;
  if low is null then return; end if;
  epoch := coalesce((select e.epoch from ${s}.stream_epoch e order by e.epoch desc limit 1), 1);
  continuity := 'ok';
  lost := 0;
  start := case when _after is null then low - 1 when _after = -1 then head else _after end;
  if _epoch < epoch then
    boundary := (select e.first - 1 from ${s}.stream_epoch_start e where e.stream = _stream and e.epoch > _epoch order by e.epoch limit 1);
  end if;
  boundary := least(head, boundary);
  if start > boundary then
    continuity := 'reset';
    start := boundary;
  end if;
  valid := start;
  if start < low - 1 then
    if continuity = 'ok' then continuity := 'truncated'; end if;
    lost := low - 1 - start;
    start := low - 1;
  end if;
  select string_agg(r.payload, ${literal(SEPARATOR)} order by r.off), string_agg(r.at, ',' order by r.off),
      case when count(r.key) > 0 then json_agg(r.key order by r.off) end,
      case when count(r.headers) > 0 then json_agg(r.headers order by r.off) end
    into payloads, ats, keys, headers
  from (
    select m.off, l.payload::text as payload, l.key, l.headers, ${AT} as at
    from (
      select c.off, c.id, sum(c.bytes) over (order by c.off) - c.bytes as before from (
        select o.off, o.id, pg_column_size(b.payload) as bytes from (
          select g.first + i.n - 1 as off, i.id from (
            select e.first, e.ids from ${s}.stream_segment e
            where e.stream = _stream and e.first >= coalesce((
              select f.first from ${s}.stream_segment f where f.stream = _stream and f.first <= start + 1 order by f.first desc limit 1), 0)
              and e.first <= start + _limit and e.last > start
          ) g, unnest(g.ids) with ordinality as i(id, n)
          where g.first + i.n - 1 > start and g.first + i.n - 1 <= start + _limit
        ) o join ${s}.stream_log b on b.id = o.id
      ) c
    ) m join ${s}.stream_log l on l.id = m.id
    where m.before < _bytes
  ) r;
end $body$`,
  ]
}
