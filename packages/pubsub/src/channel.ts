import { encodeJson, type Tracer } from '@howdah/core'
import { pubSubError } from './errors.js'
import { Mailbox } from './mailbox.js'
import {
  type MessagesOptions,
  type PublishOptions,
  resolveMaxBuffered,
  type SubscribeOptions,
} from './options.js'
import type { Subscriptions } from './subscriptions.js'

/** One listener's place on a channel. */
export interface Subscription extends AsyncDisposable {
  /** Stops the messages. */
  close(): Promise<void>
}

/**
 * A named channel of messages of type `T` (anything JSON can say); made by {@link PubSub.channel}.
 *
 * Delivery is at most once, to whoever listens at the time: nothing is kept. Messages of one process on one channel arrive in the
 * order they were published; a connection that was lost is told to subscribers as a gap.
 */
export class Channel<T> {
  readonly #subscriptions: Subscriptions
  readonly #publishTracer: Tracer
  readonly #assertOpen: () => void

  /** The channel's name. Channels of one name on one database are one channel, in whatever process. */
  readonly name: string

  /** @internal */
  constructor(
    name: string,
    subscriptions: Subscriptions,
    publishTracer: Tracer,
    assertOpen: () => void,
  ) {
    this.name = name
    this.#subscriptions = subscriptions
    this.#publishTracer = publishTracer
    this.#assertOpen = assertOpen
  }

  /**
   * Sends a message to every subscriber in every process, this one included. Resolves once PostgreSQL has taken it.
   *
   * @throws {@link HowdahError} PUBSUB_INVALID_MESSAGE when JSON cannot say the message
   * @throws {@link HowdahError} CORE_PAYLOAD_TOO_LARGE above 1 MiB; nothing is sent then
   */
  async publish(message: T, { client }: PublishOptions = {}): Promise<void> {
    this.#assertOpen()
    // Before anything is sent: the hub takes undefined for a doorbell.
    encodeJson(message, noJson)
    const context = () => ({ target: this.name })
    await this.#publishTracer.run(context, () =>
      this.#subscriptions.send(this.name, message, client),
    )
  }

  /**
   * Calls `listener` with each message from now on. Resolves once nothing published later can be missed without `onGap` being called.
   */
  async subscribe(
    listener: (message: T) => void,
    { onGap }: SubscribeOptions = {},
  ): Promise<Subscription> {
    this.#assertOpen()
    if (typeof listener !== 'function') {
      throw pubSubError('PUBSUB_INVALID_OPTION', 'The listener must be a function of a message.')
    }
    const close = await this.#subscriptions.add(this.name, {
      onMessage: (message) => listener(message as T),
      onGap: () => onGap?.(),
    })
    return { close, [Symbol.asyncDispose]: close }
  }

  /**
   * Iterates over the messages from now on, until the signal aborts or the loop is left.
   *
   * @throws {@link HowdahError} PUBSUB_SLOW_CONSUMER when more messages wait than `maxBuffered`
   *
   * @example
   * ```ts
   * import { PubSub } from '@howdah/pubsub'
   * import { Pool } from 'pg'
   *
   * const prices = new PubSub({ pool: new Pool() }).channel<{ cents: number }>('prices')
   * for await (const price of prices.messages({ signal: AbortSignal.timeout(60_000) })) {
   *   console.log(price.cents)
   * }
   * ```
   */
  async *messages({ signal, maxBuffered }: MessagesOptions = {}): AsyncGenerator<T, void, void> {
    const mailbox = new Mailbox<T>(resolveMaxBuffered(maxBuffered))
    const end = () => mailbox.end()
    signal?.addEventListener('abort', end)
    if (signal?.aborted) end()
    const subscription = await this.subscribe((message) => mailbox.add(message))
    try {
      yield* mailbox.read()
    } finally {
      signal?.removeEventListener('abort', end)
      await subscription.close()
    }
  }

  /** Iterates as {@link Channel.messages} does without options. */
  [Symbol.asyncIterator](): AsyncGenerator<T, void, void> {
    return this.messages()
  }
}

function noJson(cause: unknown) {
  return pubSubError(
    'PUBSUB_INVALID_MESSAGE',
    'The message has no JSON form (undefined, a function, a bigint or a cycle). Publish null for "nothing to say".',
    cause,
  )
}
