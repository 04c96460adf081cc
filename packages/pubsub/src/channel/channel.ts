import { types } from 'node:util'
import { encodeJson, type Tracer, validate } from '@howdah/core'
import { pubSubError } from '../errors.js'
import type {
  MessagesOptions,
  PublishOptions,
  ResolvedChannelOptions,
  SubscribeOptions,
} from '../options.js'
import type { Destination } from './form.js'
import type { MessageContext } from './listeners.js'
import type { Outgoing, Publisher } from './publisher.js'
import { iterate, type Subscription, subscribe } from './subscription.js'
import type { Subscriptions } from './subscriptions.js'

/** What a {@link Channel} has of its {@link PubSub}. */
export interface ChannelParts {
  readonly publisher: Publisher
  readonly subscriptions: Subscriptions
  readonly tracer: Tracer
  assertOpen(): void
}

/** No UTF-16 unit takes more bytes of UTF-8. */
const MOST_BYTES_A_UNIT = 3

/**
 * A named channel of messages of type `T`: anything JSON can say, or a `Uint8Array`, which arrives as bytes; made by {@link PubSub.channel}.
 *
 * Delivery is at most once, to whoever listens at the time: nothing is kept. Messages of one PubSub on one channel arrive in the
 * order they were published; a connection that was lost is told to subscribers as a gap.
 */
export class Channel<T> {
  readonly #destination: Destination
  readonly #options: ResolvedChannelOptions<T>
  readonly #parts: ChannelParts
  /** JSON of so many characters is neither too large nor to be spilled, whatever its characters take. */
  readonly #surelyInline: number

  /** @internal */
  constructor(destination: Destination, options: ResolvedChannelOptions<T>, parts: ChannelParts) {
    this.#destination = destination
    this.#options = options
    this.#parts = parts
    const room = Math.min(destination.json.room, options.maxMessageBytes)
    this.#surelyInline = Math.floor(room / MOST_BYTES_A_UNIT)
  }

  /** The channel's name. Channels of one name on one database are one channel, in whatever process. */
  get name(): string {
    return this.#destination.name
  }

  /**
   * Sends a message to every subscriber in every process, this one included. Resolves once PostgreSQL has taken it.
   *
   * @throws {@link HowdahError} PUBSUB_INVALID_MESSAGE when JSON cannot say the message, or it does not fit the schema
   * @throws {@link HowdahError} PUBSUB_MESSAGE_TOO_LARGE above `maxMessageBytes`; nothing is sent then
   * @throws {@link HowdahError} PUBSUB_CLOSED after the PubSub was closed
   * @throws {@link HowdahError} CORE_OVERLOADED when too much waits to be sent already
   * @throws {@link HowdahError} CORE_MIGRATION_REQUIRED when tables are missing that are not to be made by themselves
   */
  publish(message: T, options?: PublishOptions): Promise<void> {
    try {
      const { publisher, tracer, assertOpen } = this.#parts
      assertOpen()
      if (tracer.active || this.#options.schema !== undefined || options?.client !== undefined) {
        const context = () => ({ target: this.name })
        return tracer.run(context, () => this.#publish(message, options ?? {}))
      }
      if (types.isUint8Array(message)) return publisher.send(this.#bytes(message), undefined)
      const json = encodeJson(message, noJson)
      if (json.length <= this.#surelyInline) return publisher.sendInline(this.#destination, json)
      return publisher.send(this.#json(json), undefined)
    } catch (error) {
      // Nothing above waits, and a promise less is felt where thousands publish.
      return Promise.reject(error)
    }
  }

  async #publish(message: unknown, { client }: PublishOptions): Promise<void> {
    const { schema } = this.#options
    const checked =
      schema === undefined ? message : await validate(schema, message, 'The message', misfit)
    const outgoing = types.isUint8Array(checked)
      ? this.#bytes(checked)
      : this.#json(encodeJson(checked, noJson))
    await this.#parts.publisher.send(outgoing, client)
  }

  #json(json: string): Outgoing {
    return this.#outgoing(json, Buffer.byteLength(json))
  }

  /** Copied, for the caller may use his memory again while it is being sent. */
  #bytes(message: Uint8Array): Outgoing {
    this.#assertSize(message.byteLength)
    return this.#outgoing(Buffer.from(message), message.byteLength)
  }

  #outgoing(body: string | Buffer, bytes: number): Outgoing {
    this.#assertSize(bytes)
    return { to: this.#destination, body, bytes }
  }

  #assertSize(bytes: number): void {
    const { maxMessageBytes } = this.#options
    if (bytes <= maxMessageBytes) return
    throw pubSubError(
      'PUBSUB_MESSAGE_TOO_LARGE',
      `The message takes ${bytes} bytes, and maxMessageBytes is ${maxMessageBytes}. Store it in a table and publish its key, or raise the limit.`,
    )
  }

  /**
   * Calls `listener` with each message from now on. Resolves once nothing published later can be missed without `onGap` being called. Messages are
   * shared with other listeners and must not be changed.
   *
   * @throws {@link HowdahError} PUBSUB_INVALID_OPTION, PUBSUB_CLOSED
   * @throws {@link HowdahError} CORE_MIGRATION_REQUIRED when tables are missing that are not to be made by themselves
   */
  async subscribe(
    listener: (message: T, context: MessageContext) => unknown,
    { onGap }: SubscribeOptions = {},
  ): Promise<Subscription> {
    this.#parts.assertOpen()
    return subscribe(this.#parts.subscriptions, this.name, listener, onGap)
  }

  /**
   * Iterates over the messages from now on, until the signal aborts or the loop is left.
   *
   * @throws {@link HowdahError} PUBSUB_SLOW_CONSUMER when more messages wait than `maxBuffered`
   * @throws {@link HowdahError} PUBSUB_INVALID_OPTION, PUBSUB_CLOSED
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
  async *messages(options: MessagesOptions = {}): AsyncGenerator<T, void, void> {
    this.#parts.assertOpen()
    yield* iterate(this.#parts.subscriptions, this.name, options, (message: T) => message)
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

function misfit(message: string, cause: unknown) {
  return pubSubError('PUBSUB_INVALID_MESSAGE', message, cause)
}
