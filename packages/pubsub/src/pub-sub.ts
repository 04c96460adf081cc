import {
  Database,
  Emitter,
  type MetricReader,
  type MetricSource,
  type TableName,
  tracer,
} from '@howdah/core'
import { Channel, type ChannelParts } from './channel/channel.js'
import { destinationOf } from './channel/form.js'
import { Pattern } from './channel/pattern.js'
import { Publisher } from './channel/publisher.js'
import { Spill } from './channel/spill.js'
import { Subscriptions } from './channel/subscriptions.js'
import { pubSubError } from './errors.js'
import {
  type ChannelOptions,
  type PubSubOptions,
  resolveChannelOptions,
  resolveMaxMessageBytes,
  resolveName,
  resolvePattern,
} from './options.js'
import { resolvePresenceText } from './presence/options.js'
import { Presence } from './presence/presence.js'
import { Presences } from './presence/presences.js'
import { pubSubReader } from './pub-sub-metrics.js'
import { type PubSubStats, pubSubStats } from './stats.js'
import { resolveStreamName, type StreamOptions } from './stream/options.js'
import { Stream } from './stream/stream.js'
import { Streams } from './stream/streams.js'
import type { WatchOptions } from './watch/options.js'
import { Watch } from './watch/watch.js'

/** Events of a {@link PubSub}. */
export interface PubSubEvents {
  /**
   * A listener threw, and the others were called all the same; a message could not be sent after its transaction had committed; a large one could not
   * be fetched, and was told as a gap; or something else failed in the background, which goes on by itself.
   */
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
export class PubSub implements MetricSource {
  readonly #db: Database
  readonly #maxMessageBytes: number
  readonly #spill: Spill
  readonly #subscriptions: Subscriptions
  readonly #streams: Streams
  readonly #presences: Presences
  readonly #parts: ChannelParts
  readonly #events = new Emitter<PubSubEvents>()
  #closed = false

  /**
   * Checks the options; does no I/O.
   *
   * @throws {@link HowdahError} CORE_INVALID_SOURCE, PUBSUB_INVALID_OPTION
   */
  constructor(options: PubSubOptions) {
    this.#maxMessageBytes = resolveMaxMessageBytes(options.maxMessageBytes)
    this.#db = Database.from(options.pool)
    const onError = (error: unknown) => this.#events.emit('error', error)
    this.#spill = new Spill(this.#db)
    this.#subscriptions = new Subscriptions(this.#db, this.#spill, onError)
    this.#streams = new Streams(this.#db, onError)
    this.#presences = new Presences(this.#db, onError)
    this.#parts = {
      publisher: new Publisher(this.#db, this.#spill, onError),
      subscriptions: this.#subscriptions,
      tracer: publishTracer,
      assertOpen: () => this.#assertOpen(),
    }
  }

  /**
   * Names a channel. Costs nothing until it is used.
   *
   * @throws {@link HowdahError} PUBSUB_INVALID_OPTION when the name is empty, longer than 65,536 characters, or not well-formed, or an option is not valid
   */
  channel<T>(name: string, options: ChannelOptions<T> = {}): Channel<T> {
    const resolved = resolveChannelOptions(options, { maxMessageBytes: this.#maxMessageBytes })
    return new Channel<T>(destinationOf(this.#db.hub, resolveName(name)), resolved, this.#parts)
  }

  /**
   * Names all channels that match a pattern of Redis: `*` for any characters, `?` for one, `[a-c]`, `[^x]`, and a backslash before what is to be
   * taken as it is.
   *
   * @throws {@link HowdahError} PUBSUB_INVALID_OPTION when the pattern is empty, longer than 1000 characters, or not well-formed
   */
  pattern<T>(glob: string): Pattern<T> {
    return new Pattern<T>(resolvePattern(glob), this.#subscriptions, this.#parts.assertOpen)
  }

  /**
   * Names a stream. Costs nothing until it is used.
   *
   * @throws {@link HowdahError} PUBSUB_INVALID_OPTION, CORE_INVALID_DURATION
   */
  stream<T = unknown>(name: string, options: StreamOptions<T> = {}): Stream<T> {
    return new Stream(resolveStreamName(name), options, this.#streams, appendTracer)
  }

  /** Tells how streams, groups, and the way messages take are doing. Costs a look at each stream and group. */
  stats(): Promise<PubSubStats> {
    this.#assertOpen()
    return pubSubStats(this.#streams.db)
  }

  /** What `metrics()` of `@howdah/core/metrics` reads. */
  get metricReader(): MetricReader {
    return pubSubReader(this.#db.options.schema, async () => this.stats())
  }

  /**
   * Names a presence: who is there, in all processes. Costs nothing until it is used.
   *
   * @throws {@link HowdahError} PUBSUB_INVALID_OPTION when the name is empty, longer than 1000 characters, not well-formed, or holds NUL
   *
   * @example
   * ```ts
   * import { PubSub } from '@howdah/pubsub'
   * import { Pool } from 'pg'
   *
   * const room = new PubSub({ pool: new Pool() }).presence<{ status: string }>('room:7')
   * await room.subscribe({
   *   onJoin: ({ id, data }) => console.log(id, data?.status),
   *   onLeave: ({ id }) => console.log(id, 'left'),
   * })
   * const me = await room.join('ada', { status: 'here' })
   * await me.update({ status: 'away' })
   * await me.leave()
   * ```
   */
  presence<T>(name: string): Presence<T> {
    resolvePresenceText(name, "A presence's name")
    return new Presence(name, this.#presences, () => this.#assertOpen())
  }

  /** @internal For adapters that keep tables of their own. */
  get database(): Database {
    return this.#db
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

  /** Ends all subscriptions and memberships made through this object. The pool stays open. */
  async close(): Promise<void> {
    this.#closed = true
    await Promise.all([this.#subscriptions.close(), this.#streams.close(), this.#presences.close()])
    this.#spill.close()
  }

  /** Closes at the end of an `await using` block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #assertOpen(): void {
    if (this.#closed) throw pubSubError('PUBSUB_CLOSED', 'This PubSub is closed. Make a new one.')
  }
}
