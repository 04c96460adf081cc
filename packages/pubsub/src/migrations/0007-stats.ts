import { describeFunctions, describeView, literal, type Migration } from '@howdah/core'

/** Blocks of a table that one look reads, at most: a table of no more is counted. */
const SAMPLE_BLOCKS = 500
/** A group with fewer rows in the sample is counted, up to `COUNTED` of them, for a sample says little of it. */
const FEW = 50
const COUNTED = 1000

/**
 * `stream_stats` and `stream_group_stats` for people and dashboards, and what the functions say of themselves.
 *
 * Plain views, so that who may read them needs no right to the tables, whose payloads are the application's. A stream is looked at by its first and last
 * segment. What a group has given out or given up is counted while the tables are small, and sampled when they are large.
 */
export const stats: Migration = {
  version: 7,
  name: 'stats',
  up: (s) => [
    groupStats(s),
    ...describeView(
      `${s}.stream_group_stats`,
      'How far each group of a stream is: a row a group.',
      GROUP_COLUMNS,
    ),
    streamStats(s),
    ...describeView(`${s}.stream_stats`, 'What each stream keeps: a row a stream.', STREAM_COLUMNS),
    ...describeFunctions(s, FUNCTIONS),
  ],
  down: (s) => [
    `drop view ${s}.stream_stats`,
    `drop view ${s}.stream_group_stats`,
    ...Object.keys(FUNCTIONS).map((signature) => `comment on function ${s}.${signature} is null`),
  ],
}

const head = (s: string) => /* sql */ `
  left join lateral (select e.last, e.total, e.at from ${s}.stream_segment e where e.stream = t.id order by e.first desc limit 1) g on true`

function streamStats(s: string): string {
  return /* sql */ `create view ${s}.stream_stats as
  select t.name as stream, coalesce(g.last, t.floor - 1) as head, t.floor, coalesce(g.last, t.floor - 1) - t.floor + 1 as messages,
    coalesce(g.total - f.before, 0)::bigint as bytes, g.at as last_at, r.groups, r.max_lag
  from ${s}.stream t${head(s)}
  left join lateral (
    select e.total - (select coalesce(sum(pg_column_size(l.payload)), 0) from ${s}.stream_log l where l.id = any (e.ids)) as before
    from ${s}.stream_segment e where e.stream = t.id order by e.first limit 1
  ) f on true
  cross join lateral (
    select count(*) as groups, max(${lag(s)}) as max_lag from ${s}.stream_group r where r.stream = t.id
  ) r`
}

function lag(s: string): string {
  return /* sql */ `greatest(0, coalesce(g.last, t.floor - 1) - case r.mode when 'shared' then r.cursor
    else (select min(p.cursor) from ${s}.stream_partition p where p.grp = r.id) end)`
}

function groupStats(s: string): string {
  const owners = /* sql */ `select p.owner, p.due_at from ${s}.stream_pending p where p.grp = r.id order by p.off limit ${COUNTED}`
  return /* sql */ `create view ${s}.stream_group_stats as
  select t.name as stream, r.name as "group", r.mode, ${lag(s)} as lag, pending.n as pending, dead.n as dead,
    pending.estimated or dead.estimated as estimated,
    case r.mode when 'shared'
      then (select count(distinct k.owner) from (${owners}) k where k.due_at > clock_timestamp())
      else (select count(*) from ${s}.stream_member m where m.grp = r.id and m.until > clock_timestamp()) end as members
  from ${s}.stream_group r join ${s}.stream t on t.id = r.stream${head(s)}
  join (${counted(s, 'stream_pending')}) pending on pending.grp = r.id
  join (${counted(s, 'stream_dead')}) dead on dead.grp = r.id`
}

/** How many rows of a table belong to each group; the sample is taken once for all of them. */
function counted(s: string, name: string): string {
  const table = `${s}.${name}`
  return /* sql */ `
    select i.id as grp, case when c.n < ${COUNTED} then c.n else coalesce(round(p.n / l.share), 0) end::bigint as n,
      l.share < 1 and coalesce(c.n >= ${COUNTED}, true) as estimated
    from (
      select least(1, ${SAMPLE_BLOCKS} * current_setting('block_size')::float8
        / greatest(1, pg_relation_size(${literal(table)}::regclass))) as share
    ) l
    cross join ${s}.stream_group i
    left join lateral (
      select e.grp, count(*) as n from ${table} e tablesample system (l.share * 100) repeatable (1) group by e.grp
    ) p on p.grp = i.id
    left join lateral (
      select count(*) as n from (select from ${table} e where e.grp = i.id order by e.off limit ${COUNTED}) k
      having l.share < 1 and coalesce(p.n, 0) < ${FEW}
    ) c on true`
}

const STREAM_COLUMNS = {
  stream: 'Name of the stream.',
  head: 'Offset of the last message in order.',
  floor: 'Offset of the first message kept.',
  messages: 'Messages kept.',
  bytes: 'Bytes of the payloads kept, as PostgreSQL stores them.',
  last_at: 'When a message was last put in order.',
  groups: 'Groups that read it.',
  max_lag: 'Messages between the slowest of them and the head; null where there is none.',
}

const GROUP_COLUMNS = {
  stream: 'Name of the stream.',
  group: 'Name of the group.',
  mode: 'ordered or shared.',
  lag: 'Messages between the group and the head.',
  pending: 'Messages of a shared group that are given out, or wait to be tried again.',
  dead: 'Messages that failed too often.',
  estimated: 'Whether pending and dead were estimated from a sample rather than counted.',
  members:
    'Members that live; of a shared group those that hold messages, as far as its first thousand pending ones tell.',
}

const FUNCTIONS = {
  'presence_members(text)':
    'Lists who is present in the presence of this name, with their data, since when, and how often each has joined.',
  'stream_trim()':
    'Deletes a batch of messages that the retention of any stream no longer keeps, and answers whether there may be more. The library does it in the background.',
}
