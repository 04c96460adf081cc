import { defineStatement, type Statement } from '@howdah/core'

/** Says that a worker sleeps, so that adding a job wakes it. Renewed, it touches nothing while much of the time is left. */
export const markIdle: (schema: string, worker: string, queue: number, forMs: number) => Statement =
  defineStatement(
    'queue.idle',
    (s) => /* sql */ `
    insert into ${s}.queue_idle as i (worker, queue, until)
    values ($1::bigint, $2::int, clock_timestamp() + $3::float8 * interval '1 millisecond')
    on conflict (worker) do update set until = excluded.until`,
    (worker, queue, forMs) => [worker, queue, forMs],
  )

/** Says that a worker is awake and looks for itself. */
export const markBusy: (schema: string, worker: string) => Statement = defineStatement(
  'queue.busy',
  (s) => /* sql */ `delete from ${s}.queue_idle where worker = $1::bigint`,
  (worker) => [worker],
)
