/**
 * Statements on pgmq's functions and tables. Who ends a job has to name how often it was read: a message that was read again since is
 * another worker's.
 */
import { defineStatement, ident, literal, type Statement } from '@howdah/core'

const table = (queue: string) => `pgmq.${ident(`q_${queue}`)}`
const ms = (expression: string) => `(extract(epoch from ${expression}) * 1000)::float8`

/** Statements of one pgmq queue have their own text, for its table is part of it. */
function forQueue<Args extends readonly unknown[], Row>(
  name: string,
  text: (queue: string) => string,
  values: (...args: Args) => unknown[],
): (queue: string, ...args: Args) => Statement<Row> {
  const made = new Map<string, (schema: string, ...args: Args) => Statement<Row>>()
  return (queue, ...args) => {
    let statement = made.get(queue)
    if (statement === undefined) {
      statement = defineStatement<Args, Row>(`pgmq.${name}.${queue}`, () => text(queue), values)
      made.set(queue, statement)
    }
    return statement('pgmq', ...args)
  }
}

/** What this server has of pgmq. */
export interface Installed {
  readonly schema: boolean
  readonly version: string | null
  readonly available: boolean
  readonly batches: boolean
  readonly partman: boolean
}

export const lookForPgmq: (schema: string) => Statement<Installed> = defineStatement(
  'pgmq.installed',
  () => /* sql */ `
    select exists (select from pg_namespace where nspname = 'pgmq') as schema,
      (select extversion from pg_extension where extname = 'pgmq') as version,
      exists (select from pg_available_extensions where name = 'pgmq') as available,
      to_regprocedure('pgmq.send_batch(text, jsonb[], jsonb[], timestamp with time zone)') is not null as batches,
      exists (select from pg_extension where extname = 'pg_partman') as partman`,
  () => [],
)

export const knownQueues: (
  schema: string,
  names: readonly string[],
) => Statement<{ readonly name: string }> = defineStatement(
  'pgmq.known',
  () => `select queue_name as name from pgmq.meta where queue_name = any($1::text[])`,
  (names) => [names],
)

export const createQueue: (schema: string, queue: string, unlogged: boolean) => Statement =
  defineStatement(
    'pgmq.create',
    () =>
      `select case when $2::boolean then pgmq.create_unlogged($1::text) else pgmq.create($1::text) end`,
    (queue, unlogged) => [queue, unlogged],
  )

export const createPartitioned: (
  schema: string,
  queue: string,
  interval: string,
  retention: string,
) => Statement = defineStatement(
  'pgmq.create-partitioned',
  () => `select pgmq.create_partitioned($1::text, $2::text, $3::text)`,
  (queue, interval, retention) => [queue, interval, retention],
)

/** Sends messages that share a time. Payloads and headers are JSON. */
export const send: (
  schema: string,
  queue: string,
  payloads: readonly string[],
  headers: readonly (string | null)[] | null,
  delayMs: number | null,
  runAtMs: number | null,
) => Statement<{ readonly id: string }> = defineStatement(
  'pgmq.send',
  () => /* sql */ `
    select id::text from pgmq.send_batch($1::text, $2::text[]::jsonb[], $3::text[]::jsonb[],
      coalesce(to_timestamp($5::float8 / 1000), clock_timestamp() + coalesce($4::float8, 0) * interval '1 millisecond')) as id`,
  (queue, payloads, headers, delayMs, runAtMs) => [queue, payloads, headers, delayMs, runAtMs],
)

/** A message that was read. */
export interface MessageRow {
  readonly id: string
  readonly readCt: number
  readonly addedAt: number
  readonly message: string | null
  readonly headers: string | null
}

const MESSAGE = `msg_id::text as id, read_ct as "readCt", ${ms('enqueued_at')} as "addedAt", message::text, headers::text`

export const read: (
  schema: string,
  queue: string,
  seconds: number,
  count: number,
) => Statement<MessageRow> = defineStatement(
  'pgmq.read',
  () => /* sql */ `
    select ${MESSAGE}
    from pgmq.read($1::text, $2::integer, $3::integer) order by msg_id`,
  (queue, seconds, count) => [queue, seconds, count],
)

/** The same, waiting in the server until there is something, or the time is over. */
export const readWithPoll: (
  schema: string,
  queue: string,
  seconds: number,
  count: number,
  waitSeconds: number,
) => Statement<MessageRow> = defineStatement(
  'pgmq.read-with-poll',
  () => /* sql */ `
    select ${MESSAGE}
    from pgmq.read_with_poll($1::text, $2::integer, $3::integer, $4::integer, 20) order by msg_id`,
  (queue, seconds, count, waitSeconds) => [queue, seconds, count, waitSeconds],
)

/** Reads messages and deletes them. pgmq pops one at a time; its argument depends on the row so that it is called for each. */
export const pop: (schema: string, queue: string, count: number) => Statement<MessageRow> =
  defineStatement(
    'pgmq.pop',
    () => /* sql */ `
    select m.msg_id::text as id, m.read_ct + 1 as "readCt", ${ms('m.enqueued_at')} as "addedAt", m.message::text, m.headers::text
    from generate_series(1, $2::integer) as n cross join lateral pgmq.pop(case when n > 0 then $1::text end) as m`,
    (queue, count) => [queue, count],
  )

/** How many messages a queue was ever sent. */
export const totalMessages: (schema: string, queue: string) => Statement<{ readonly n: number }> =
  defineStatement(
    'pgmq.total',
    () => `select total_messages::float8 as n from pgmq.metrics($1::text)`,
    (queue) => [queue],
  )

type Remove = (
  queue: string,
  ids: readonly string[],
  counts: readonly number[],
) => Statement<{ readonly id: string }>

/** Ends jobs. Answers those that were still the caller's. Deleting is what `pgmq.delete` does, with the fence in the same look. */
export const removeMessages: Readonly<Record<'delete' | 'archive', Remove>> = {
  delete: forQueue(
    'delete',
    (queue) => /* sql */ `
      delete from ${table(queue)} q using unnest($1::bigint[], $2::integer[]) as e(id, ct)
      where q.msg_id = e.id and q.read_ct = e.ct returning q.msg_id::text as id`,
    (ids, counts) => [ids, counts],
  ),
  archive: forQueue(
    'archive',
    (queue) => /* sql */ `
      select id::text from pgmq.archive(${literal(queue)}, array(
        select q.msg_id from ${table(queue)} q join unnest($1::bigint[], $2::integer[]) as e(id, ct) on q.msg_id = e.id and q.read_ct = e.ct
        for update of q)) as id`,
    (ids, counts) => [ids, counts],
  ),
}

/** Makes messages invisible for a while from now, under new headers where there are some. Answers those that were still the caller's. */
export const hide: (
  queue: string,
  ids: readonly string[],
  counts: readonly number[],
  delaysMs: readonly number[],
  headers: readonly (string | null)[],
) => Statement<{ readonly id: string }> = forQueue(
  'hide',
  (queue) => /* sql */ `
    update ${table(queue)} q set vt = clock_timestamp() + e.delay * interval '1 millisecond', headers = coalesce(e.headers::jsonb, q.headers)
    from unnest($1::bigint[], $2::integer[], $3::float8[], $4::text[]) as e(id, ct, delay, headers)
    where q.msg_id = e.id and q.read_ct = e.ct
    returning q.msg_id::text as id`,
  (ids, counts, delaysMs, headers) => [ids, counts, delaysMs, headers],
)

/** Moves a message to another queue under new headers, in one statement. Answers a row if it was still the caller's. */
export const bury: (
  queue: string,
  id: string,
  count: number,
  to: string,
  headers: string,
) => Statement<{ readonly id: string }> = forQueue(
  'bury',
  (queue) => /* sql */ `
    select m.msg_id::text as id, pgmq.send($3::text, m.message, $4::text::jsonb, clock_timestamp()), pgmq.delete(${literal(queue)}, m.msg_id)
    from (select q.msg_id, q.message from ${table(queue)} q where q.msg_id = $1::bigint and q.read_ct = $2::integer for update) m`,
  (id, count, to, headers) => [id, count, to, headers],
)

/** How a message stands: here and free, gone, or held by a transaction. */
export const holds: (
  queue: string,
  id: string,
  count: number,
) => Statement<{ readonly free: boolean; readonly there: boolean }> = forQueue(
  'holds',
  (queue) => /* sql */ `
    with free as materialized (
      select msg_id from ${table(queue)} where msg_id = $1::bigint and read_ct = $2::integer for update skip locked
    )
    select exists (select from free) as free,
      exists (select from ${table(queue)} where msg_id = $1::bigint and read_ct = $2::integer) as there`,
  (id, count) => [id, count],
)

const STATE = `case when q.vt <= clock_timestamp() then 'waiting'
  when q.read_ct = 0 or q.headers #>> '{howdah,waits}' = q.read_ct::text then 'delayed' else 'running' end`

/** Counts what a queue holds by state. It looks at all of it. */
export const countMessages: (queue: string) => Statement<{
  readonly state: 'waiting' | 'delayed' | 'running'
  readonly n: number
  readonly oldest: number
}> = forQueue(
  'count',
  (queue) => /* sql */ `
    select ${STATE} as state, count(*)::integer as n, ${ms('clock_timestamp() - min(q.enqueued_at)')} as oldest
    from ${table(queue)} q group by 1`,
  () => [],
)

/** A message as it stands. */
export interface StandingRow extends MessageRow {
  readonly state: 'waiting' | 'delayed' | 'running'
  readonly visibleAt: number
}

const STANDING = `q.msg_id::text as id, q.read_ct as "readCt", ${ms('q.enqueued_at')} as "addedAt", q.message::text, q.headers::text,
  ${STATE} as state, ${ms('q.vt')} as "visibleAt"`

export const getMessage: (queue: string, id: string) => Statement<StandingRow> = forQueue(
  'get',
  (queue) => `select ${STANDING} from ${table(queue)} q where q.msg_id = $1::bigint`,
  (id) => [id],
)

/** The newest messages. */
export const lastMessages: (queue: string, limit: number) => Statement<StandingRow> = forQueue(
  'last',
  (queue) => `select ${STANDING} from ${table(queue)} q order by q.msg_id desc limit $1::integer`,
  (limit) => [limit],
)

/** Deletes a message that nobody works on. */
export const cancelMessage: (queue: string, id: string) => Statement<{ readonly id: string }> =
  forQueue(
    'cancel',
    (queue) => /* sql */ `
      select id::text from pgmq.delete(${literal(queue)}, array(
        select q.msg_id from ${table(queue)} q where q.msg_id = $1::bigint and ${STATE} <> 'running' for update skip locked)) as id`,
    (id) => [id],
  )

/** Deletes up to `limit` messages that nobody works on: those given, or any. */
export const clearMessages: (
  queue: string,
  ids: readonly string[] | null,
  limit: number,
) => Statement<{ readonly n: number }> = forQueue(
  'clear',
  (queue) => /* sql */ `
    select count(*)::integer as n from pgmq.delete(${literal(queue)}, array(
      select q.msg_id from ${table(queue)} q
      where ($1::bigint[] is null or q.msg_id = any($1::bigint[])) and ${STATE} <> 'running'
      order by q.msg_id limit $2::integer for update skip locked))`,
  (ids, limit) => [ids, limit],
)

/** Sends dead letters back to where they were, with all attempts anew, and deletes them. The first of `queues` takes those that were nowhere. */
export const redriveMessages: (
  dead: string,
  ids: readonly string[] | null,
  limit: number,
  queues: readonly string[],
) => Statement<{ readonly n: number }> = forQueue(
  'redrive',
  (dead) => /* sql */ `
    with m as materialized (
      select q.msg_id, q.message, q.headers from ${table(dead)} q
      where $1::bigint[] is null or q.msg_id = any($1::bigint[])
      order by q.msg_id limit $2::integer for update skip locked
    ), moved as materialized (
      select pgmq.send(case when m.headers #>> '{howdah,queue}' = any($3::text[]) then m.headers #>> '{howdah,queue}' else ($3::text[])[1] end, m.message,
          m.headers #- '{howdah,failures}' #- '{howdah,free}' #- '{howdah,waits}' #- '{howdah,error}' #- '{howdah,added}' #- '{howdah,id}' #- '{howdah,queue}',
          clock_timestamp()) as sent, pgmq.delete(${literal(dead)}, m.msg_id) as gone
      from m
    )
    select count(*)::integer as n from moved`,
  (ids, limit, queues) => [ids, limit, queues],
)
