import { defineStatement, type Statement } from '@howdah/core'

/** A dead letter as it is stored. */
export interface DeadRow {
  readonly off: string
  readonly attempts: number
  readonly error: string | null
  readonly key: string | null
  readonly headers: Readonly<Record<string, string>> | null
  readonly payload: string | null
  readonly at: number
}

/** Lists dead letters in the order of their offsets. */
export const listDeadLetters: (
  schema: string,
  group: number,
  after: number,
  limit: number,
) => Statement<DeadRow> = defineStatement(
  'stream.list-dead-letters',
  (s) => /* sql */ `
    select d.off::text as off, d.attempts, d.error, d.key, d.headers, d.payload::text as payload,
      (extract(epoch from d.at) * 1000)::float8 as at
    from ${s}.stream_dead d where d.grp = $1::integer and d.off > $2::text::bigint
    order by d.off limit $3::integer`,
  (group, after, limit) => [group, String(after), limit],
)

/** Gives dead letters of a shared group out anew. Answers how many; those the stream no longer has stay dead. */
export const redriveDeadLetters: (
  schema: string,
  group: number,
  offsets: readonly number[] | null,
) => Statement<{ n: number }> = defineStatement(
  'stream.redrive-dead-letters',
  (s) => /* sql */ `
    with again as (
      insert into ${s}.stream_pending (grp, off, lease, attempts, due_at, owner)
      select d.grp, d.off, 0, 0, statement_timestamp(), ''
      from ${s}.stream_dead d join ${s}.stream_group g on g.id = d.grp
      where d.grp = $1::integer and ($2::text[] is null or d.off = any ($2::text[]::bigint[]))
        and exists (select from ${s}.stream_message(g.stream, d.off))
      on conflict do nothing
      returning off
    ), gone as (
      delete from ${s}.stream_dead d using again where d.grp = $1::integer and d.off = again.off
    )
    select count(*)::integer as n from again`,
  (group, offsets) => [group, offsets === null ? null : offsets.map(String)],
)

/** Forgets dead letters. Answers how many. */
export const forgetDeadLetters: (
  schema: string,
  group: number,
  offsets: readonly number[] | null,
) => Statement<{ n: number }> = defineStatement(
  'stream.forget-dead-letters',
  (s) => /* sql */ `
    with gone as (
      delete from ${s}.stream_dead d
      where d.grp = $1::integer and ($2::text[] is null or d.off = any ($2::text[]::bigint[]))
      returning 1
    )
    select count(*)::integer as n from gone`,
  (group, offsets) => [group, offsets === null ? null : offsets.map(String)],
)
