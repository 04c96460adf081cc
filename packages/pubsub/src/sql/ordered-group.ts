import { defineStatement, type Statement } from '@howdah/core'

/** A partition as its owner holds it. */
export type OwnedPartition = readonly [
  part: number,
  fence: number,
  epoch: number,
  cursor: number,
  attempts: number,
]

/** Where an owner stands in a partition. */
export interface PartitionPlace {
  readonly part: number
  readonly fence: number
  readonly cursor: number
}

function columns(places: readonly PartitionPlace[]) {
  return [
    places.map(({ part }) => part),
    places.map(({ fence }) => String(fence)),
    places.map(({ cursor }) => String(cursor)),
  ]
}

/** Says that a member lives, and answers what it owns. */
export const renewOrdered: (
  schema: string,
  group: number,
  member: string,
  leaseMs: number,
  places: readonly PartitionPlace[],
) => Statement<{ share: number; owned: readonly OwnedPartition[] }> = defineStatement(
  'stream.renew-ordered',
  (s) => /* sql */ `
    select r.share, r.owned from ${s}.stream_ordered_renew(
      $1::integer, $2::text, $3::float8, $4::integer[], $5::text[]::bigint[], $6::text[]::bigint[]) r`,
  (group, member, leaseMs, places) => [group, member, leaseMs, ...columns(places)],
)

/** Moves a partition's cursor, if it is still owned under the fence. */
export const advanceOrdered: (
  schema: string,
  group: number,
  part: number,
  fence: number,
  epoch: number,
  cursor: number,
) => Statement<{ owned: boolean }> = defineStatement(
  'stream.advance-ordered',
  (s) => /* sql */ `
    select ${s}.stream_ordered_advance($1::integer, $2::integer, $3::text::bigint, $4::integer, $5::text::bigint) as owned`,
  (group, part, fence, epoch, cursor) => [group, part, String(fence), epoch, String(cursor)],
)

/** Counts a failure; `attempts` is `null` when the partition is another's. */
export const failOrdered: (
  schema: string,
  group: number,
  part: number,
  fence: number,
  offset: number,
  maxAttempts: number,
  error: string,
) => Statement<{ attempts: number | null; dead: boolean }> = defineStatement(
  'stream.fail-ordered',
  (s) => /* sql */ `
    select r.attempts, r.dead from ${s}.stream_ordered_failed(
      $1::integer, $2::integer, $3::text::bigint, $4::text::bigint, $5::integer, $6::text) r`,
  (group, part, fence, offset, maxAttempts, error) => [
    group,
    part,
    String(fence),
    String(offset),
    maxAttempts,
    error,
  ],
)

/** Gives partitions up; with `leave`, the membership too. */
export const releaseOrdered: (
  schema: string,
  group: number,
  member: string,
  places: readonly PartitionPlace[],
  leave: boolean,
) => Statement = defineStatement(
  'stream.release-ordered',
  (s) => /* sql */ `
    select 1 from ${s}.stream_ordered_release(
      $1::integer, $2::text, $3::integer[], $4::text[]::bigint[], $5::text[]::bigint[], $6::boolean)`,
  (group, member, places, leave) => [group, member, ...columns(places), leave],
)
