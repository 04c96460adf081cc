import { defineStatement, type Statement } from '@howdah/core'

/** Keeps the newest progress of a job that still runs under the lease. */
export const keepProgress: (
  schema: string,
  lease: string,
  job: string,
  value: string,
) => Statement = defineStatement(
  'queue.progress',
  (s) => /* sql */ `
    insert into ${s}.queue_progress (id, value)
    select $2::bigint, $3::text::json where exists (
      select from ${s}.queue_lease where id = $1::bigint and ids @> array[$2::bigint])
    on conflict (id) do update set value = excluded.value`,
  (lease, job, value) => [lease, job, value],
)

/** Answers a row if a job still runs under the lease. */
export const holdsJob: (schema: string, lease: string, job: string) => Statement<{ held: number }> =
  defineStatement(
    'queue.holds',
    (s) =>
      /* sql */ `select 1 as held from ${s}.queue_lease where id = $1::bigint and ids @> array[$2::bigint]`,
    (lease, job) => [lease, job],
  )

/**
 * Notes in the caller's transaction that a job is complete, and answers a row if it still runs under the lease. The lock lets the jobs
 * beside it in the lease end, and keeps whoever thinks the worker dead waiting until the transaction has ended.
 */
export const writeReceipt: (
  schema: string,
  lease: string,
  job: string,
  output: string | null,
) => Statement<{ written: number }> = defineStatement(
  'queue.receipt',
  (s) => /* sql */ `
    with held as materialized (
      select id from ${s}.queue_lease where id = $1::bigint and ids @> array[$2::bigint] for key share
    ), written as (
      insert into ${s}.queue_receipt (lease, id, output) select h.id, $2::bigint, $3::text::json from held h
    )
    select 1 as written from held`,
  (lease, job, output) => [lease, job, output],
)

/** Whether a transaction that has written a receipt for a job of the lease may still commit. It holds a lock on the lease until it ends. */
export const receiptsOpen: (schema: string, lease: string) => Statement<{ open: boolean }> =
  defineStatement(
    'queue.receipts-open',
    (s) => /* sql */ `
    with free as materialized (
      select id from ${s}.queue_lease where id = $1::bigint for update skip locked
    )
    select not exists (select from free) and exists (
      select from ${s}.queue_lease where id = $1::bigint) as open`,
    (lease) => [lease],
  )

/** Answers a row if the transaction that completed a job has been committed. */
export const hasReceipts: (
  schema: string,
  lease: string,
  job: string,
) => Statement<{ id: string }> = defineStatement(
  'queue.receipts',
  (s) =>
    /* sql */ `select id::text from ${s}.queue_receipt where lease = $1::bigint and id = $2::bigint`,
  (lease, job) => [lease, job],
)

/** Stores what a step answered, if the job still runs under the lease. */
export const keepStep: (
  schema: string,
  lease: string,
  job: string,
  name: string,
  output: string | null,
) => Statement<{ kept: number }> = defineStatement(
  'queue.step',
  (s) => /* sql */ `
    insert into ${s}.queue_step (job, name, output)
    select $2::bigint, $3::text, $4::text::json where exists (
      select from ${s}.queue_lease where id = $1::bigint and ids @> array[$2::bigint])
    on conflict (job, name) do update set output = excluded.output
    returning 1 as kept`,
  (lease, job, name, output) => [lease, job, name, output],
)

/** The steps of a job that have finished. */
export const readSteps: (
  schema: string,
  job: string,
) => Statement<{ readonly name: string; readonly output: string | null }> = defineStatement(
  'queue.steps',
  (s) =>
    /* sql */ `select name, output::text as output from ${s}.queue_step where job = $1::bigint`,
  (job) => [job],
)

/** A child of a flow as it ended. */
export interface ChildRow {
  readonly id: string
  readonly queue: string
  readonly outcome: 'completed' | 'failed' | 'discarded' | 'cancelled' | 'expired'
  readonly output: string | null
  readonly error: string | null
}

/** The children of a flow's parent that have ended, in the order they were added. */
export const listChildren: (schema: string, parent: string) => Statement<ChildRow> =
  defineStatement(
    'queue.children',
    (s) => /* sql */ `
    select c.child::text as id, q.name as queue, r.outcome, r.output::text as output, r.error
    from ${s}.queue_child c join ${s}.queue_result r on r.id = c.child join ${s}.queue q on q.id = r.queue
    where c.parent = $1::bigint order by c.child`,
    (parent) => [parent],
  )
