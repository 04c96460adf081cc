import { defineStatement, type Statement } from '@howdah/core'
import { isReady, priorityOf } from '../migrations/fragments.js'

/** A job as it stands; times in milliseconds since the epoch, JSON as text. */
export interface JobRow {
  readonly id: string
  readonly state: string
  readonly payload: string
  readonly priority: number
  readonly attempts: number
  readonly failures: number
  readonly crashes: number
  readonly addedAt: number
  readonly runAt: number | null
  readonly startedAt: number | null
  readonly finishedAt: number | null
  readonly output: string | null
  readonly error: string | null
  readonly progress: string | null
  readonly key: string | null
  readonly group: string | null
  readonly worker: string | null
  /** Where a list goes on behind this job. */
  readonly cursor: string | null
}

const ms = (time: string) => `(extract(epoch from ${time}) * 1000)::float8`

/**
 * Where a job stands. The state follows from which place has it; a body that is in none has completed without a word, and stands in a
 * list of `queue_done`.
 */
function jobColumns(s: string): string {
  return /* sql */ `
    select j.id::text, p.state, j.payload::text as payload, ${priorityOf('j.rank')} as priority,
      coalesce(j.attempts, q.attempts)::int as attempts,
      coalesce(e.failures, r.failures, 0)::int as failures, coalesce(e.crashes, r.crashes, 0)::int as crashes,
      ${ms('j.added_at')} as "addedAt", ${ms('d.run_at')} as "runAt",
      ${ms('coalesce(e.started_at, l.started_at, c.started_at)')} as "startedAt", ${ms('coalesce(e.finished_at, c.finished_at)')} as "finishedAt",
      e.output::text as output, coalesce(e.error, r.error) as error, g.value::text as progress,
      j.key, j.grp as "group", w.about as worker, j.cursor
    from job j
    join ${s}.queue q on q.id = j.queue
    left join ${s}.queue_result e on e.id = j.id
    left join ${s}.queue_retry r on r.id = j.id
    left join ${s}.queue_scheduled d on d.id = j.id
    left join lateral (select l.started_at, l.worker from ${s}.queue_lease l where l.queue = j.queue and l.ids @> array[j.id] limit 1) l on true
    left join ${s}.queue_worker w on w.id = l.worker
    left join ${s}.queue_progress g on g.id = j.id
    cross join lateral (select case
      when e.id is not null then e.outcome
      when d.id is not null then 'delayed'
      when l.worker is not null then 'running'
      when exists (select from ${s}.queue_flow f where f.id = j.id) then 'blocked'
      when ${isReady(s, 'j')}
        or exists (select from ${s}.queue_parked k where k.id = j.id) then 'waiting'
      else 'completed' end as state) p
    left join lateral (
      select b.started_at, b.finished_at from (
        select o.* from ${s}.queue_done o where j.finished_at is null and p.state = 'completed' and e.id is null
          and o.queue = j.queue and o.finished_at >= j.added_at order by o.finished_at limit ${SEARCHED}
      ) b where b.ids @> array[j.id]
      union all select j.started_at, j.finished_at where j.finished_at is not null
      limit 1
    ) c on true`
}

/** Batches of completed jobs that are searched for when one of them ended. */
const SEARCHED = 10_000
const NOT_DONE = 'null::timestamptz as started_at, null::timestamptz as finished_at'

/** One job of a queue; no row where there is none. */
export const getJob: (schema: string, queue: number, id: string) => Statement<JobRow> =
  defineStatement(
    'queue.get',
    (s) => /* sql */ `
    with job as materialized (select b.*, null::text as cursor, ${NOT_DONE} from ${s}.queue_job b where b.id = $2::bigint and b.queue = $1::int)
    ${jobColumns(s)}`,
    (queue, id) => [queue, id],
  )

/** Parts of the cursor `$2`, divided by colons. */
const part = (n: number, type: string) => `split_part($2::text, ':', ${n})::${type}`
const micros = (time: string) => `(extract(epoch from ${time}) * 1000000)::bigint`
const time = (n: number) => `'epoch'::timestamptz + ${part(n, 'bigint')} * interval '1 microsecond'`

/** How jobs of a state are found: from the table that has them, in its order, each with the cursor behind it. */
const BY_STATE: Readonly<Record<string, (s: string) => string>> = {
  waiting: (
    s,
  ) => `select r.id, r.rank || ':' || r.seq as cursor, ${NOT_DONE} from ${s}.queue_ready r
      where r.queue = $1::int and ($2::text is null or (r.rank, r.seq) > (${part(1, 'int')}, ${part(2, 'bigint')}))
      order by r.rank, r.seq limit $3::int`,
  delayed: (
    s,
  ) => `select d.id, ${micros('d.run_at')} || ':' || d.id as cursor, ${NOT_DONE} from ${s}.queue_scheduled d
      where d.queue = $1::int and ($2::text is null or (d.run_at, d.id) > (${time(1)}, ${part(2, 'bigint')}))
      order by d.run_at, d.id limit $3::int`,
  running: (
    s,
  ) => `select i.id, i.id::text as cursor, ${NOT_DONE} from ${s}.queue_lease l cross join unnest(l.ids) as i(id)
      where l.queue = $1::int and ($2::text is null or i.id > ${part(1, 'bigint')}) order by i.id limit $3::int`,
  blocked: (s) => `select f.id, f.id::text as cursor, ${NOT_DONE} from ${s}.queue_flow f
      where f.queue = $1::int and ($2::text is null or f.id > ${part(1, 'bigint')}) order by f.id limit $3::int`,
  completed: (
    s,
  ) => `select u.id, ${micros('u.finished_at')} || ':' || u.id as cursor, u.started_at, u.finished_at from (
        ${results(s, 'completed')}
        union all
        select i.id, b.started_at, b.finished_at from (
          select o.* from ${s}.queue_done o where o.queue = $1::int and ($2::text is null or o.finished_at <= ${time(1)})
          order by o.finished_at desc limit $3::int
        ) b cross join unnest(b.ids) as i(id)
      ) u where $2::text is null or (u.finished_at, u.id) < (${time(1)}, ${part(2, 'bigint')})
      order by u.finished_at desc, u.id desc limit $3::int`,
}

function results(s: string, outcome: string): string {
  return `(select r.id, r.started_at, r.finished_at from ${s}.queue_result r
        where r.queue = $1::int and r.outcome = '${outcome}'
          and ($2::text is null or (r.finished_at, r.id) < (${time(1)}, ${part(2, 'bigint')}))
        order by r.finished_at desc, r.id desc limit $3::int)`
}

function ended(outcome: string): (s: string) => string {
  return (
    s,
  ) => `select u.id, ${micros('u.finished_at')} || ':' || u.id as cursor, u.started_at, u.finished_at
      from ${results(s, outcome)} u`
}

/** States that `list` knows. */
export const LISTED = [
  'waiting',
  'delayed',
  'running',
  'blocked',
  'completed',
  'failed',
  'discarded',
  'cancelled',
  'expired',
] as const

type List = (
  schema: string,
  queue: number,
  after: string | null,
  limit: number,
) => Statement<JobRow>

/** Lists jobs of a state: what waits in the order of starting, what ended newest first. */
export const listJobs: Readonly<Record<(typeof LISTED)[number], List>> = Object.fromEntries(
  LISTED.map((state) => [
    state,
    defineStatement(
      `queue.list-${state}`,
      (s: string) => /* sql */ `
    with picked as materialized (select p.*, row_number() over () as n from (${(BY_STATE[state] ?? ended(state))(s)}) p),
    job as materialized (select b.*, p.n, p.cursor, p.started_at, p.finished_at from picked p join ${s}.queue_job b on b.id = p.id)
    ${jobColumns(s)} order by j.n`,
      (queue: number, after: string | null, limit: number) => [queue, after, limit],
    ),
  ]),
) as unknown as Readonly<Record<(typeof LISTED)[number], List>>
