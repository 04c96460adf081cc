import { PubSubEngine } from 'graphql-subscriptions'
import { Mailbox } from '../../channel/mailbox.js'
import { pubSubError } from '../../errors.js'
import type { StreamOptions } from '../../stream/options.js'
import type { Stream } from '../../stream/stream.js'
import { merge } from './merge.js'
import {
  type GraphQLPubSubOptions,
  type ResolvedGraphQLOptions,
  resolveGraphQLOptions,
  type TriggerPublishOptions,
  type TriggerSubscribeOptions,
} from './options.js'
import { TriggerIterator } from './trigger-iterator.js'

declare const engine: PubSubEngine
/** What the base class says its iterators are; the library keeps the name to itself. */
type EngineIterator<T> = ReturnType<typeof engine.asyncIterableIterator<T>>

/** Streams kept by name, so that each is opened once. */
const KEPT_STREAMS = 1000

/**
 * The `PubSubEngine` of graphql-subscriptions, over PostgreSQL: what one process publishes, the subscriptions of all processes get. A trigger is a
 * channel, or with the option `stream` a stream, from which a subscription can go on where its client stopped.
 *
 * @example
 * ```ts
 * import { GraphQLPubSub } from '@howdah/pubsub/graphql'
 * import { withFilter } from 'graphql-subscriptions'
 * import { Pool } from 'pg'
 *
 * const pubsub = new GraphQLPubSub({ pool: new Pool() })
 * export const resolvers = {
 *   Mutation: {
 *     pay: (_: unknown, { id }: { id: number }) => pubsub.publish('ORDER_PAID', { orderPaid: { id } }),
 *   },
 *   Subscription: {
 *     orderPaid: {
 *       subscribe: withFilter(
 *         () => pubsub.asyncIterableIterator('ORDER_PAID'),
 *         (event, args) => event.orderPaid.id === args?.['id'],
 *       ),
 *     },
 *   },
 * }
 * ```
 */
export class GraphQLPubSub extends PubSubEngine {
  readonly #options: ResolvedGraphQLOptions
  readonly #streams = new Map<string, Stream>()
  readonly #subscriptions = new Map<number, () => Promise<void>>()
  #lastId = 0

  /**
   * Checks the options; does no I/O.
   *
   * @throws {@link HowdahError} PUBSUB_INVALID_OPTION, CORE_INVALID_SOURCE
   */
  constructor(options: GraphQLPubSubOptions) {
    super()
    this.#options = resolveGraphQLOptions(options)
  }

  /**
   * Publishes to the subscribers of a trigger in all processes. What they get is what JSON makes of the payload.
   *
   * @throws {@link HowdahError} PUBSUB_INVALID_MESSAGE, CORE_PAYLOAD_TOO_LARGE, PUBSUB_MESSAGE_TOO_LARGE for a payload that cannot be sent
   */
  async publish(
    trigger: string,
    payload: unknown,
    { client }: TriggerPublishOptions = {},
  ): Promise<void> {
    const stream = this.#stream(trigger)
    if (stream === undefined) {
      await this.#options.pubsub.channel(trigger).publish(payload, { client })
    } else {
      await stream.append(payload, { client })
    }
  }

  /** Calls `onMessage` with each event of a trigger, and answers a number for {@link GraphQLPubSub.unsubscribe}. */
  async subscribe(
    trigger: string,
    // As the base class has it.
    onMessage: (payload: never) => unknown,
    { after = 'latest' }: TriggerSubscribeOptions = {},
  ): Promise<number> {
    const { pubsub, fromMessage, onError, onGap } = this.#options
    const listener = onMessage as (payload: unknown) => unknown
    const stream = this.#stream(trigger)
    const id = ++this.#lastId
    if (stream === undefined) {
      const { close } = await pubsub.channel(trigger).subscribe(
        (message) => {
          // Also what an asynchronous listener throws.
          Promise.resolve(message).then(listener).catch(onError)
        },
        { onGap: () => onGap(trigger) },
      )
      this.#subscriptions.set(id, close)
    } else {
      const subscription = await stream.subscribe((message) => listener(fromMessage(message)), {
        after,
      })
      subscription.ended.catch(onError)
      this.#subscriptions.set(id, () => subscription.close())
    }
    return id
  }

  /** Ends a subscription; does nothing where it has ended already. */
  async unsubscribe(id: number): Promise<void> {
    const close = this.#subscriptions.get(id)
    this.#subscriptions.delete(id)
    await close?.()
  }

  /**
   * Iterates over the events of one or several triggers. It subscribes at the first `next()`, and ends with `return()`, which GraphQL servers call when
   * their client is gone. A stream is read as fast as the client is served; its iterator fails with PUBSUB_TRUNCATED or PUBSUB_RESET
   * where events are missing.
   *
   * @throws {@link HowdahError} PUBSUB_INVALID_OPTION for a trigger without a name
   */
  override asyncIterableIterator<T>(
    triggers: string | readonly string[],
    { after = 'latest' }: TriggerSubscribeOptions = {},
  ): EngineIterator<T> {
    const names = typeof triggers === 'string' ? [triggers] : [...new Set(triggers)]
    if (names.length === 0) {
      throw pubSubError('PUBSUB_INVALID_OPTION', 'Name at least one trigger.')
    }
    const channels = names.filter((name) => this.#stream(name) === undefined)
    for (const name of channels) this.#options.pubsub.channel(name)
    const iterator = new TriggerIterator<unknown>((signal) => {
      const sources: AsyncGenerator<unknown, void, void>[] = names.flatMap((name) => {
        const stream = this.#stream(name)
        return stream === undefined ? [] : [this.#messages(stream, after, signal)]
      })
      if (channels.length > 0) sources.push(this.#events(channels, signal))
      return merge(sources)
    })
    return iterator as unknown as EngineIterator<T>
  }

  /** Ends the subscriptions, and the PubSub where it was made from `pool`. The pool stays open. */
  async close(): Promise<void> {
    await Promise.all([...this.#subscriptions.keys()].map((id) => this.unsubscribe(id)))
    if (this.#options.owned) await this.#options.pubsub.close()
  }

  /** Closes at the end of an `await using` block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async *#messages(
    stream: Stream,
    after: NonNullable<TriggerSubscribeOptions['after']>,
    signal: AbortSignal,
  ): AsyncGenerator<unknown, void, void> {
    for await (const message of stream.messages({ after, signal })) {
      yield this.#options.fromMessage(message)
    }
  }

  async *#events(
    channels: readonly string[],
    signal: AbortSignal,
  ): AsyncGenerator<unknown, void, void> {
    const { pubsub, maxBuffered, onGap } = this.#options
    const mailbox = new Mailbox<unknown>(maxBuffered, () => {})
    const end = (): void => mailbox.end()
    signal.addEventListener('abort', end)
    if (signal.aborted) end()
    const subscribing = channels.map((name) =>
      pubsub.channel(name).subscribe((message) => mailbox.add(message), {
        onGap: () => onGap(name),
      }),
    )
    try {
      await Promise.all(subscribing)
      yield* mailbox.read()
    } finally {
      signal.removeEventListener('abort', end)
      for (const each of await Promise.allSettled(subscribing)) {
        if (each.status === 'fulfilled') await each.value.close()
      }
    }
  }

  #stream(trigger: string): Stream | undefined {
    const known = this.#streams.get(trigger)
    if (known !== undefined) return known
    const options: StreamOptions | undefined = this.#options.stream(trigger)
    if (options === undefined) return undefined
    const stream = this.#options.pubsub.stream(trigger, options)
    this.#streams.set(trigger, stream)
    for (const oldest of this.#streams.keys()) {
      if (this.#streams.size <= KEPT_STREAMS) break
      this.#streams.delete(oldest)
    }
    return stream
  }
}
