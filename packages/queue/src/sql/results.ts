import { defineStatement, type Statement } from '@howdah/core'
import { isReady } from '../migrations/fragments.js'

/** What became of a job; `outcome` is null while it waits or runs, and `unknown` where there is none. */
export interface ResultRow {
  readonly id: string
  readonly outcome: string | null
  readonly output: string | null
  readonly error: string | null
}

/** Looks what became of jobs. A body that is in no place has completed without a word. */
export const readResults: (
  schema: string,
  queue: number,
  ids: readonly string[],
) => Statement<ResultRow> = defineStatement(
  'queue.results',
  (s) => /* sql */ `
    select w.id::text, e.output::text as output, e.error, case
      when e.id is not null then e.outcome
      when j.id is null then 'unknown'
      when ${isReady(s, 'j')}
        or exists (select from ${s}.queue_scheduled d where d.id = j.id)
        or exists (select from ${s}.queue_parked k where k.id = j.id)
        or exists (select from ${s}.queue_flow f where f.id = j.id)
        or exists (select from ${s}.queue_lease l where l.queue = j.queue and l.ids @> array[j.id]) then null
      else 'completed' end as outcome
    from unnest($2::bigint[]) as w(id)
    left join ${s}.queue_job j on j.id = w.id and j.queue = $1::int
    left join ${s}.queue_result e on e.id = j.id`,
  (queue, ids) => [queue, ids],
)

/** Says that events of a queue are wanted for a while. */
export const watchQueue: (
  schema: string,
  watcher: string,
  queue: number,
  forMs: number,
) => Statement = defineStatement(
  'queue.watch',
  (s) => /* sql */ `
    insert into ${s}.queue_watch (id, queue, until)
    values ($1::text, $2::int, clock_timestamp() + $3::float8 * interval '1 millisecond')
    on conflict (id) do update set until = excluded.until`,
  (watcher, queue, forMs) => [watcher, queue, forMs],
)

/** Says that they are wanted no more. */
export const unwatchQueue: (schema: string, watcher: string) => Statement = defineStatement(
  'queue.unwatch',
  (s) =>
    /* sql */ `delete from ${s}.queue_watch where id = $1::text or until < clock_timestamp() - interval '1 hour'`,
  (watcher) => [watcher],
)
