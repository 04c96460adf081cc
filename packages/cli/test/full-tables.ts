/** Rows by the million for every look that the command takes, and those looks. */

/** Half of the jobs wait, in three priorities; the others are delayed, dead or done. Each table has its rows as the packages write them. */
export function fill(n: number): string[] {
  const jobs = (from: number, to: number) => `generate_series(${from + 1}, ${to}) i`
  const half = Math.floor(n / 2)
  const [delayed, dead] = [half + Math.floor(n / 6), half + Math.floor(n / 3)]
  return [
    `select howdah.queue_open(q) from unnest(array['busy', 'idle', 'third']) q`,
    `insert into howdah.queue_job (id, added_at, queue, rank, flags, payload)
     select i, now() - interval '1 hour', 1, i % 3, 0, json_build_object('n', i) from ${jobs(0, n)}`,
    `insert into howdah.queue_ready (seq, id, queue, rank, attempt, flags) select i, i, 1, i % 3, 0, 0 from ${jobs(0, half)}`,
    `insert into howdah.queue_scheduled (run_at, id, queue, rank, attempt, flags)
     select now() + i * interval '1 s', i, 1, i % 3, 0, 0 from ${jobs(half, delayed)}`,
    `insert into howdah.queue_result (id, finished_at, started_at, queue, failures, crashes, outcome, error)
     select i, now() - i * interval '1 ms', now(), 1, 5, 0, 'failed', 'no' from ${jobs(delayed, dead)}`,
    `insert into howdah.queue_done (finished_at, started_at, queue, ids)
     select now() - g * interval '1 s', now(), 1, array_agg(i) from (select i, i / 100 as g from ${jobs(dead, n)}) d group by g`,
    `insert into howdah.queue_tally (at, queue, waiting, delayed, dead, added, completed)
     values (now(), 1, ${half}, ${delayed - half}, ${dead - delayed}, ${n}, ${n - dead})`,
    `insert into howdah.queue_tally (at, queue, added) select now(), 2, 0 from generate_series(1, 2000)`,
    `select howdah.cache_open(c, false) from unnest(array['large', 'small', 'empty']) c`,
    `insert into howdah.cache_entry (namespace, key, version, accessed, bytes, value, expires_at, expiry_bucket)
     select case when i % 1000 = 0 then b.id else a.id end, 'key:' || i, i, 0, 200, 's' || repeat('x', 50), now() + interval '1 day', 1
     from howdah.cache_namespace a, howdah.cache_namespace b, ${jobs(0, n)} where a.name = 'large' and b.name = 'small'`,
    `select howdah.stream_open('orders')`,
    `insert into howdah.stream_log (stream, payload, key) select 1, json_build_object('n', i), 'k' || i % 100 from ${jobs(0, n)}`,
    `insert into howdah.stream_segment (stream, first, last, epoch, total, ids)
     select 1, min(o), max(o), 1, max(o) * 20, array_agg(id order by o) from (
       select l.id, row_number() over (order by l.id) as o from howdah.stream_log l) r group by (o - 1) / 500`,
    `insert into howdah.stream_tick (tick, snapshot) select 1, pg_current_snapshot()`,
    `insert into howdah.stream_epoch (epoch, system_id, timeline) select 1, (select system_identifier::text from pg_control_system()), ''`,
    `select from howdah.stream_group_open(1, 'ledger', 'ordered', 16, null, null)`,
    `select from howdah.stream_group_open(1, 'mails', 'shared', 1, null, ${half})`,
    `insert into howdah.stream_dead (grp, off, attempts, error, payload)
     select g.id, i, 3, 'no', '{}' from howdah.stream_group g, ${jobs(0, Math.floor(n / 100))} where g.name = 'mails'`,
    `insert into howdah.session (name, id_hash, version, expires_hour, created_at, seen_at, expires_at, data, user_id)
     select case when i % 10 = 0 then 'app' else 'default' end, sha256(i::text::bytea), 1, 0, now(), now(),
       now() + case when i % 20 = 0 then -1 else 1 end * interval '1 day', '{"userId":"u"}', 'u' || i / 5
     from ${jobs(0, n)}`,
    'vacuum (analyze)',
  ]
}

const ref = 'd4735e3a265e16eee03f59718b9b5d03019c07d8b6c51f90da3a666eec13ab35'

/** What is looked at: its name, and the arguments of the command. */
export const looks: readonly (readonly [name: string, args: readonly string[]])[] = [
  ['top', ['top', '--once']],
  ['queue list', ['queue', 'list']],
  ['queue show', ['queue', 'show', 'busy']],
  ...['waiting', 'delayed', 'failed', 'completed', 'running', 'blocked', 'cancelled'].map(
    (state): [string, string[]] => [
      `queue jobs, ${state}`,
      ['queue', 'jobs', 'busy', '--state', state, '--limit', '100'],
    ],
  ),
  ['queue job', ['queue', 'job', 'busy', '7']],
  ['schedule list', ['schedule', 'list']],
  ['cache list', ['cache', 'list']],
  ['cache show', ['cache', 'show', 'large']],
  ['cache keys', ['cache', 'keys', 'large', '--limit', '500']],
  ['cache get', ['cache', 'get', 'large', 'key:77']],
  ['stream list', ['stream', 'list']],
  ['stream groups', ['stream', 'groups']],
  ['stream show', ['stream', 'show', 'orders', '--limit', '100']],
  ['stream dead', ['stream', 'dead', 'orders', 'mails', '--limit', '100']],
  ['session list', ['session', 'list']],
  ['session list of a user', ['session', 'list', 'u7']],
  ['session some', ['session', 'some', 'default', '--limit', '100']],
  ['session show', ['session', 'show', ref]],
]
