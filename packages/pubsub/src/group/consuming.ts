import { pubSubError } from '../errors.js'
import type { Batch } from '../stream/batch.js'
import type { Discontinuity } from '../stream/options.js'
import type { Streams } from '../stream/streams.js'
import type { GroupHandler, ResolvedGroupOptions } from './group-options.js'

/** What both kinds of consumers work with. */
export interface Consuming<T> {
  readonly streams: Streams
  readonly group: number
  /** Number of the stream. */
  readonly number: number
  readonly stream: {
    readonly name: string
    batches(options: { after: string; signal: AbortSignal }): AsyncGenerator<Batch<T>, void, void>
  }
  readonly partitions: number
  readonly options: ResolvedGroupOptions
  readonly handler: GroupHandler<T>
  readonly onError: (error: unknown) => void
  readonly onClosed: () => void
}

/** Tells where a batch does not continue what the group has done: whoever asked to know, else the PubSub's `error` event. */
export async function tellDiscontinuity<T>(
  { options, onError, stream }: Pick<Consuming<T>, 'options' | 'onError' | 'stream'>,
  place: Discontinuity,
): Promise<void> {
  if (place.continuity === 'ok') return
  if (options.onDiscontinuity !== undefined) await options.onDiscontinuity(place)
  else onError(discontinued(stream.name, place))
}

function discontinued(stream: string, { continuity, validUntil, lost }: Discontinuity): Error {
  return continuity === 'truncated'
    ? pubSubError(
        'PUBSUB_TRUNCATED',
        `A group missed ${lost} messages of '${stream}' that were no longer kept. Raise the retention, or read faster.`,
      )
    : pubSubError(
        'PUBSUB_RESET',
        `The database was replaced by one on which '${stream}' ends at offset ${validUntil}. The group goes on from there.`,
      )
}
