import { defineStatement, type Statement } from '@howdah/core'

/** A dead letter as it is stored; times in milliseconds since the epoch. */
export interface DeadRow {
  readonly id: string
  readonly payload: string
  readonly attempts: number
  readonly error: string | null
  readonly addedAt: number
  readonly diedAt: number
}

/** Lists a queue's dead letters, newest first. */
export const listDead: (schema: string, queue: string, limit: number) => Statement<DeadRow> =
  defineStatement(
    'queue.dead',
    (s) => /* sql */ `
    select id::text, payload::text, attempt as attempts, error,
      (extract(epoch from added_at) * 1000)::float8 as "addedAt",
      (extract(epoch from died_at) * 1000)::float8 as "diedAt"
    from ${s}.queue_dead
    where queue = $1::text
    order by queue_dead.id desc
    limit $2::int`,
    (queue, limit) => [queue, limit],
  )
