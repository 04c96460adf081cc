import { comment } from '../fragments.js'

const ATTRIBUTES = 'language sql stable set search_path = pg_catalog, pg_temp'

/** What operators look at: each stream and each group, a row. */
export function statsFunctions(s: string): string[] {
  return [
    /* sql */ `create function ${s}.stream_list() returns table (
    name text, head bigint, floor bigint, messages bigint, bytes bigint, last_at timestamptz) ${ATTRIBUTES} as $body$
  select t.name, coalesce(g.last, t.floor - 1), t.floor, coalesce(g.last, t.floor - 1) - t.floor + 1,
    coalesce(g.total - f.before, 0), g.at
  from ${s}.stream t
  left join lateral (select * from ${s}.stream_segment e where e.stream = t.id order by e.first desc limit 1) g on true
  left join lateral (
    select e.total - (select coalesce(sum(pg_column_size(l.payload)), 0) from ${s}.stream_log l where l.id = any (e.ids)) as before
    from ${s}.stream_segment e where e.stream = t.id order by e.first limit 1) f on true
  order by t.name
$body$`,
    /* sql */ `create function ${s}.stream_group_list() returns table (
    stream text, name text, mode text, lag bigint, pending bigint, dead bigint, members bigint) ${ATTRIBUTES} as $body$
  select t.name, r.name, r.mode,
    greatest(0, coalesce(g.last, t.floor - 1) - case r.mode when 'shared' then r.cursor
      else (select min(p.cursor) from ${s}.stream_partition p where p.grp = r.id) end),
    (select count(*) from ${s}.stream_pending p where p.grp = r.id),
    (select count(*) from ${s}.stream_dead d where d.grp = r.id),
    case r.mode when 'shared'
      then (select count(distinct p.owner) from ${s}.stream_pending p where p.grp = r.id and p.due_at > clock_timestamp())
      else (select count(*) from ${s}.stream_member m where m.grp = r.id and m.until > clock_timestamp()) end
  from ${s}.stream_group r join ${s}.stream t on t.id = r.stream
  left join lateral (select e.last from ${s}.stream_segment e where e.stream = t.id order by e.first desc limit 1) g on true
  order by t.name, r.name
$body$`,
    comment(
      s,
      'stream_list()',
      'Lists streams with their last offset, the first one kept, and how many messages and stored bytes are in between.',
    ),
    comment(
      s,
      'stream_group_list()',
      'Lists groups with how many messages each is behind, has given out, and has given up.',
    ),
  ]
}
