import { defineStatement, type Statement } from '@howdah/core'

/** A group as it is, whoever made it. */
export interface OpenedGroup {
  readonly id: number
  readonly mode: string
  readonly partitions: number
}

/** Answers a group, making it if need be; a new one begins after `after` (`null`: the beginning, -1: the end). */
export const openGroup: (
  schema: string,
  stream: number,
  name: string,
  mode: string,
  partitions: number,
  epoch: number | null,
  after: number | null,
) => Statement<OpenedGroup> = defineStatement(
  'stream.open-group',
  (s) => /* sql */ `
    select r.id, r.mode, r.partitions
    from ${s}.stream_group_open($1::integer, $2::text, $3::text, $4::integer, $5::integer, $6::text::bigint) r`,
  (stream, name, mode, partitions, epoch, after) => [
    stream,
    name,
    mode,
    partitions,
    epoch,
    after === null ? null : String(after),
  ],
)

/** Sends a group to another place. */
export const seekGroup: (
  schema: string,
  group: number,
  epoch: number | null,
  after: number | null,
) => Statement = defineStatement(
  'stream.seek-group',
  (s) =>
    /* sql */ `select 1 from ${s}.stream_group_seek($1::integer, $2::integer, $3::text::bigint)`,
  (group, epoch, after) => [group, epoch, after === null ? null : String(after)],
)

/** Drops a group with all it knows. */
export const dropGroup: (schema: string, group: number) => Statement = defineStatement(
  'stream.drop-group',
  (s) => /* sql */ `select 1 from ${s}.stream_group_drop($1::integer)`,
  (group) => [group],
)
