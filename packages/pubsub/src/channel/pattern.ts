import type { MessagesOptions, SubscribeOptions } from '../options.js'
import { type Glob, parseGlob } from './glob.js'
import type { MessageContext } from './listeners.js'
import { iterate, type Subscription, subscribe } from './subscription.js'
import type { Subscriptions } from './subscriptions.js'

/** A message of some channel, as {@link Pattern.messages} answers it. */
export interface PatternMessage<T> {
  /** Name of the channel that it came on. */
  readonly channel: string
  readonly message: T
}

/**
 * All channels whose names match a pattern; made by {@link PubSub.pattern}.
 *
 * Patterns are those of Redis: `*` stands for any characters, `?` for one, `[a-c]` for one of a set, `[^x]` for one that is not in it, and a backslash
 * takes the meaning from what follows. Delivery, order and gaps are those of a {@link Channel}; the order holds within each channel.
 */
export class Pattern<T> {
  readonly #subscriptions: Subscriptions
  readonly #assertOpen: () => void
  readonly #glob: Glob

  /** The pattern as it was given. */
  readonly glob: string

  /** @internal */
  constructor(glob: string, subscriptions: Subscriptions, assertOpen: () => void) {
    this.glob = glob
    this.#glob = parseGlob(glob)
    this.#subscriptions = subscriptions
    this.#assertOpen = assertOpen
  }

  /**
   * Calls `listener` with each message from now on, and with the name of its channel. Resolves once nothing published later can be missed without
   * `onGap` being called. Messages are shared with other listeners and must not be changed.
   *
   * @throws {@link HowdahError} PUBSUB_INVALID_OPTION, PUBSUB_CLOSED
   *
   * @example
   * ```ts
   * import { PubSub } from '@howdah/pubsub'
   * import { Pool } from 'pg'
   *
   * const orders = new PubSub({ pool: new Pool() }).pattern<{ id: number }>('orders:*')
   * await orders.subscribe((order, { channel }) => console.log(channel, order.id))
   * ```
   */
  async subscribe(
    listener: (message: T, context: MessageContext) => unknown,
    { onGap }: SubscribeOptions = {},
  ): Promise<Subscription> {
    this.#assertOpen()
    return subscribe(this.#subscriptions, this.#glob, listener, onGap)
  }

  /**
   * Iterates over the messages from now on, until the signal aborts or the loop is left.
   *
   * @throws {@link HowdahError} PUBSUB_SLOW_CONSUMER when more messages wait than `maxBuffered`
   * @throws {@link HowdahError} PUBSUB_INVALID_OPTION, PUBSUB_CLOSED
   */
  async *messages(options: MessagesOptions = {}): AsyncGenerator<PatternMessage<T>, void, void> {
    this.#assertOpen()
    yield* iterate(this.#subscriptions, this.#glob, options, (message: T, { channel }) => ({
      channel,
      message,
    }))
  }

  /** Iterates as {@link Pattern.messages} does without options. */
  [Symbol.asyncIterator](): AsyncGenerator<PatternMessage<T>, void, void> {
    return this.messages()
  }
}
