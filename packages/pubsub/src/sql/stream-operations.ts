import { defineStatement, type Statement } from '@howdah/core'

/** Takes away what streams keep no longer; answers whether there is more. */
export const trimStreams: (schema: string) => Statement<{ more: boolean }> = defineStatement(
  'stream.trim',
  (s) => /* sql */ `select ${s}.stream_trim() as more`,
  () => [],
)

/** Drops a stream with its groups. */
export const dropStream: (schema: string, stream: number) => Statement = defineStatement(
  'stream.drop',
  (s) => /* sql */ `select 1 from ${s}.stream_drop($1::integer)`,
  (stream) => [stream],
)

/** A stream's numbers. */
export interface StreamRow {
  readonly name: string
  readonly head: string
  readonly floor: string
  readonly messages: string
  readonly bytes: string
}

/** A group's numbers. */
export interface GroupRow {
  readonly stream: string
  readonly name: string
  readonly mode: 'ordered' | 'shared'
  readonly lag: string
  readonly pending: string
  readonly dead: string
  readonly members: string
  readonly estimated: boolean
}

/** What {@link PubSub.stats} tells of the database. */
export const readStats: (schema: string) => Statement<{
  streams: readonly StreamRow[]
  groups: readonly GroupRow[]
  unsequenced: string
  oldest: number | null
  usage: number
}> = defineStatement(
  'pubsub.stats',
  (s) => /* sql */ `
    select
      coalesce((select json_agg(json_build_object('name', l.stream, 'head', l.head::text, 'floor', l.floor::text,
        'messages', l.messages::text, 'bytes', l.bytes::text) order by l.stream) from ${s}.stream_stats l), '[]'::json) as streams,
      coalesce((select json_agg(json_build_object('stream', g.stream, 'name', g."group", 'mode', g.mode, 'lag', g.lag::text,
        'pending', g.pending::text, 'dead', g.dead::text, 'members', g.members::text, 'estimated', g.estimated)
        order by g.stream, g."group") from ${s}.stream_group_stats g), '[]'::json) as groups,
      (select count(*) from ${s}.stream_unsequenced())::text as unsequenced,
      (select extract(epoch from clock_timestamp() - min(l.at)) * 1000 from ${s}.stream_unsequenced() u join ${s}.stream_log l on l.id = u.id)::float8 as oldest,
      pg_notification_queue_usage() as usage`,
  () => [],
)
