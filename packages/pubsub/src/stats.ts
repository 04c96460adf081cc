import type { Database, HubStats } from '@howdah/core'
import { readStats } from './sql/stream-operations.js'
import { ensureTables } from './tables.js'

/** One stream in {@link PubSubStats}. */
export interface StreamStats {
  readonly name: string
  /** Offset of the last message in order. */
  readonly head: number
  /** Offset of the first message kept. */
  readonly floor: number
  readonly messages: number
  /** Bytes of the payloads kept, as PostgreSQL stores them. */
  readonly bytes: number
}

/** One group in {@link PubSubStats}. */
export interface GroupStats {
  readonly stream: string
  readonly name: string
  readonly mode: 'ordered' | 'shared'
  /** Messages between the group and the head; what passed an ordered group's partitions by is counted up to a third of the lease late. */
  readonly lag: number
  /** Messages of a shared group that are given out, or wait to be tried again. */
  readonly pending: number
  readonly dead: number
  /** Members that live; of a shared group those that hold messages, as far as its first thousand pending ones tell. */
  readonly members: number
  /** Whether `pending` and `dead` were estimated from a sample, which they are where there are very many. */
  readonly estimated: boolean
}

/** What {@link PubSub.stats} answers. */
export interface PubSubStats {
  readonly streams: readonly StreamStats[]
  readonly groups: readonly GroupStats[]
  /** Committed messages that are not in order yet; they grow only where nobody reads. */
  readonly unsequenced: number
  /** Age of the oldest of them in milliseconds. */
  readonly oldestUnsequencedMs: number | undefined
  /** Share of PostgreSQL's notification queue that is full, from 0 to 1: at 1 every commit that notifies fails, in all databases of the server. */
  readonly notificationQueueUsage: number
  /** The process's one connection for messages. */
  readonly hub: HubStats
}

/** Reads them. */
export async function pubSubStats(db: Database): Promise<PubSubStats> {
  await ensureTables(db)
  const [row] = await db.query(readStats(db.schema))
  if (row === undefined) throw new Error('The statement for stats answers one row.')
  return {
    streams: row.streams.map(({ name, head, floor, messages, bytes }) => ({
      name,
      head: Number(head),
      floor: Number(floor),
      messages: Number(messages),
      bytes: Number(bytes),
    })),
    groups: row.groups.map(({ stream, name, mode, lag, pending, dead, members, estimated }) => ({
      stream,
      name,
      mode,
      lag: Number(lag),
      pending: Number(pending),
      dead: Number(dead),
      members: Number(members),
      estimated,
    })),
    unsequenced: Number(row.unsequenced),
    oldestUnsequencedMs: row.oldest ?? undefined,
    notificationQueueUsage: row.usage,
    hub: db.hub.stats(),
  }
}
