import { Database, Emitter, type TableName, tracer } from '@howdah/core'
import { Channel } from './channel.js'
import { pubSubError } from './errors.js'
import { type PubSubOptions, resolveName } from './options.js'
import { resolveStreamName, type StreamOptions } from './stream/options.js'
import { Stream } from './stream/stream.js'
import { Streams } from './stream/streams.js'
import { Subscriptions } from './subscriptions.js'
import type { WatchOptions } from './watch/options.js'
import { Watch } from './watch/watch.js'

/** Events of a {@link PubSub}. */
export interface PubSubEvents {
  /** A listener threw. The other listeners received the message all the same. */
  readonly error: readonly [error: unknown]
}

const publishTracer = tracer('@howdah/pubsub:publish')
const appendTracer = tracer('@howdah/pubsub:append')

/**
 * Publishes and subscribes between the processes of an application, over its PostgreSQL. Each process holds one connection for it,
 * however many channels it listens to.
 *
 * @example
 * ```ts
 * import { PubSub } from '@howdah/pubsub'
 * import { Pool } from 'pg'
 *
 * const pubsub = new PubSub({ pool: new Pool() })
 * const orders = pubsub.channel<{ id: number }>('orders')
 * const subscription = await orders.subscribe((order) => console.log(order.id))
 * await orders.publish({ id: 7 })
 * await subscription.close()
 * await pubsub.close()
 * ```
 */
export class PubSub {
  readonly #subscriptions: Subscriptions
  readonly #streams: Streams
  readonly #events = new Emitter<PubSubEvents>()
  #closed = false

  /**
   * Checks the options; does no I/O.
   *
   * @throws {@link HowdahError} CORE_INVALID_SOURCE
   */
  constructor(options: PubSubOptions) {
    const db = Database.from(options.pool)
    const onError = (error: unknown) => this.#events.emit('error', error)
    this.#subscriptions = new Subscriptions(db, onError)
    this.#streams = new Streams(db, onError)
  }

  /**
   * Names a channel. Costs nothing until it is used.
   *
   * @throws {@link HowdahError} PUBSUB_INVALID_OPTION when the name is empty, longer than 1000 characters, or not well-formed
   */
  channel<T>(name: string): Channel<T> {
    return new Channel(resolveName(name), this.#subscriptions, publishTracer, () =>
      this.#assertOpen(),
    )
  }

  /**
   * Names a stream. Costs nothing until it is used.
   *
   * @throws {@link HowdahError} PUBSUB_INVALID_OPTION, CORE_INVALID_DURATION
   */
  stream<T = unknown>(name: string, options: StreamOptions<T> = {}): Stream<T> {
    return new Stream(resolveStreamName(name), options, this.#streams, appendTracer)
  }

  /**
   * Names a table whose changes are to be a stream. Costs nothing until it is used; {@link Watch.install} puts the triggers in place.
   *
   * @throws {@link HowdahError} PUBSUB_INVALID_OPTION, CORE_INVALID_NAME
   */
  watch<Row = Record<string, unknown>>(table: TableName, options: WatchOptions = {}): Watch<Row> {
    return new Watch<Row>(table, options, this.#streams, (name) => this.stream(name))
  }

  /** Adds a listener and returns the function that removes it. */
  on<Name extends keyof PubSubEvents>(
    name: Name,
    listener: (...args: PubSubEvents[Name]) => void,
  ): () => void {
    return this.#events.on(name, listener)
  }

  /** Ends all subscriptions made through this object. The pool stays open. */
  async close(): Promise<void> {
    this.#closed = true
    await Promise.all([this.#subscriptions.close(), this.#streams.close()])
  }

  /** Closes at the end of an `await using` block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #assertOpen(): void {
    if (this.#closed) throw pubSubError('PUBSUB_CLOSED', 'This PubSub is closed. Make a new one.')
  }
}
