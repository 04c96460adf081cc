import { describeFunctions, describeView, type Migration } from '@howdah/core'
import { TALLY_COLUMNS } from './tables.js'

/** The first of the tally's columns are how many there are now; the others how many there ever were. */
const NOW = 5

/**
 * `queue_stats` for people and dashboards, and what the functions say of themselves.
 *
 * A plain view, so that who may read it needs no right to the tables, whose payloads are the application's. It adds up what was counted and looks up
 * the head of each priority: it costs the same with a million jobs as with ten.
 */
export const stats: Migration = {
  version: 3,
  name: 'stats',
  up: (s) => [
    queueStats(s),
    ...describeView(
      `${s}.queue_stats`,
      'How each queue stands: a row a queue, counted exactly.',
      COLUMNS,
    ),
    ...describeFunctions(s, FUNCTIONS),
  ],
  down: (s) => [
    `drop view ${s}.queue_stats`,
    ...Object.keys(FUNCTIONS).map((signature) => `comment on function ${s}.${signature} is null`),
  ],
}

function queueStats(s: string): string {
  const sums = TALLY_COLUMNS.map((name) => `coalesce(sum(t.${name}), 0)::bigint as ${name}`)
  const recent = (name: string) =>
    `coalesce(sum(t.${name}) filter (where t.at > statement_timestamp() - interval '1 minute'), 0)::bigint as ${name}_last_minute`
  return /* sql */ `create view ${s}.queue_stats as
  select q.name as queue, q.paused,
    ${TALLY_COLUMNS.slice(0, NOW)
      .map((name) => `c.${name}`)
      .join(', ')},
    o.oldest_added_at, statement_timestamp() - o.oldest_added_at as oldest_age,
    (select count(*) from ${s}.queue_worker w where w.queue = q.id and w.expires_at > statement_timestamp()) as workers,
    c.added_last_minute, c.completed_last_minute, c.failed_last_minute,
    ${TALLY_COLUMNS.slice(NOW)
      .map((name) => `c.${name}`)
      .join(', ')}
  from ${s}.queue q
  cross join lateral (
    select ${sums.join(', ')}, ${['added', 'completed', 'failed'].map(recent).join(', ')}
    from ${s}.queue_tally t where t.queue = q.id
  ) c
  cross join lateral (
    with recursive heads as (
      (select r.rank, r.id from ${s}.queue_ready r where r.queue = q.id order by r.rank, r.seq limit 1)
      union all
      select n.rank, n.id from heads h cross join lateral (
        select r.rank, r.id from ${s}.queue_ready r where r.queue = q.id and r.rank > h.rank order by r.rank, r.seq limit 1) n
    )
    select min(j.added_at) as oldest_added_at from heads h join ${s}.queue_job j on j.id = h.id
  ) o`
}

const COLUMNS = {
  queue: 'Name of the queue.',
  paused: 'Whether claiming is stopped.',
  waiting: 'Jobs that are ready to run, those of full groups included.',
  delayed: 'Jobs that are not due yet: added with a delay, or waiting for a retry.',
  blocked: 'Jobs that wait for their children.',
  running: 'Jobs that a worker has claimed.',
  dead: 'Dead letters.',
  oldest_added_at:
    'When the oldest job at the head of a priority was added; null where none is ready.',
  oldest_age: 'How long ago that was.',
  workers: 'Workers that live, in all processes.',
  added_last_minute: 'Jobs added within the last minute.',
  completed_last_minute: 'Jobs completed within the last minute.',
  failed_last_minute: 'Attempts that failed within the last minute.',
  added: 'Jobs added since the queue was made.',
  completed: 'Jobs completed since the queue was made.',
  failed: 'Attempts that failed since the queue was made.',
  crashed: 'Attempts whose worker died since the queue was made.',
  died: 'Jobs that became dead letters since the queue was made.',
  cancelled: 'Jobs cancelled or discarded since the queue was made.',
  expired: 'Jobs that expired before they ran since the queue was made.',
}

const FUNCTIONS = {
  'queue_open(text, jsonb)':
    'Answers the number of a queue, by which other functions know it, and makes the queue if there is none of that name.',
  'queue_reschedule(bigint, integer, double precision, double precision)':
    'Gives a job that waits another priority or time, and answers whether it still waited. Arguments: id, priority, delay in ms, time in ms since the epoch; null leaves what is.',
  'queue_redrive(integer, bigint[], integer)':
    'Lets dead letters of the queue with this number run again, those with these ids or (null) all, the oldest first, and answers how many it was. The last argument is how many at most; call it again for more.',
  'queue_purge(integer, bigint[], integer)':
    'Deletes dead letters of the queue with this number for good; the arguments are those of queue_redrive.',
  'queue_clear(integer, integer)':
    'Deletes jobs of the queue with this number that wait, and answers how many it was. The last argument is how many at most; call it again for more.',
}
