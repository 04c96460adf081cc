import type { DatabaseSource, TransactionHandle } from '@howdah/core'
import { pubSubError } from '../../errors.js'
import { resolveMaxBuffered } from '../../options.js'
import { PubSub } from '../../pub-sub.js'
import type { After, StreamMessage } from '../../stream/batch.js'
import type { StreamOptions } from '../../stream/options.js'

/** Options of {@link GraphQLPubSub}. */
export interface GraphQLPubSubOptions {
  /** The application's pool, a PGlite, or a Howdah Database. We never end it. */
  readonly pool?: DatabaseSource | undefined
  /** A PubSub to share, in place of `pool`. We never close it. */
  readonly pubsub?: PubSub | undefined
  /**
   * Makes triggers durable: those for which it answers options are the streams of that name, to be read from any place. All others are
   * channels. It must answer alike for a trigger in all processes.
   */
  readonly stream?: ((trigger: string) => StreamOptions | undefined) | undefined
  /** What subscribers get of a message of a stream. @defaultValue its payload */
  readonly fromMessage?: ((message: StreamMessage) => unknown) | undefined
  /** Messages of channels kept for an iterator that is slower; one more ends it with PUBSUB_SLOW_CONSUMER. @defaultValue `10000` */
  readonly maxBuffered?: number | undefined
  /** Called when subscribers to a channel may have missed messages: its connection was lost and is back. */
  readonly onGap?: ((trigger: string) => void) | undefined
  /** Called with what ends a subscription made with `subscribe()`: a listener that threw, or messages that are no longer kept. */
  readonly onError?: ((error: unknown) => void) | undefined
}

/** Options of {@link GraphQLPubSub.publish}. */
export interface TriggerPublishOptions {
  /** A transaction to publish in: subscribers hear of it if and when that commits. */
  readonly client?: TransactionHandle | undefined
}

/** Options of {@link GraphQLPubSub.subscribe} and {@link GraphQLPubSub.asyncIterableIterator}. */
export interface TriggerSubscribeOptions {
  /** Where to begin in the triggers that are streams; channels begin now. @defaultValue `'latest'` */
  readonly after?: After | undefined
}

/** Options with their defaults. */
export interface ResolvedGraphQLOptions {
  readonly pubsub: PubSub
  readonly owned: boolean
  readonly stream: (trigger: string) => StreamOptions | undefined
  readonly fromMessage: (message: StreamMessage) => unknown
  readonly maxBuffered: number
  readonly onGap: (trigger: string) => void
  readonly onError: (error: unknown) => void
}

/** @throws {@link HowdahError} PUBSUB_INVALID_OPTION, CORE_INVALID_SOURCE */
export function resolveGraphQLOptions(options: GraphQLPubSubOptions): ResolvedGraphQLOptions {
  const { pool, pubsub } = options
  if ((pool === undefined) === (pubsub === undefined)) {
    throw pubSubError('PUBSUB_INVALID_OPTION', 'Pass either a pool or a pubsub.')
  }
  for (const name of ['stream', 'fromMessage', 'onGap', 'onError'] as const) {
    if (options[name] !== undefined && typeof options[name] !== 'function') {
      throw pubSubError('PUBSUB_INVALID_OPTION', `${name} must be a function.`)
    }
  }
  return Object.freeze({
    pubsub: pubsub ?? new PubSub({ pool: pool as DatabaseSource }),
    owned: pubsub === undefined,
    stream: options.stream ?? (() => undefined),
    fromMessage: options.fromMessage ?? (({ payload }: StreamMessage) => payload),
    maxBuffered: resolveMaxBuffered(options.maxBuffered),
    onGap: options.onGap ?? (() => {}),
    onError: options.onError ?? (() => {}),
  })
}
