import { pubSubError } from '../errors.js'
import { forgetDeadLetters, listDeadLetters, redriveDeadLetters } from '../sql/dead-letters.js'
import { dropGroup, type OpenedGroup, openGroup, seekGroup } from '../sql/open-group.js'
import type { After, Batch, BatchesOptions, StreamMessage } from '../stream/batch.js'
import { invalid, whole } from '../stream/options.js'
import { parseAfter } from '../stream/position.js'
import type { Streams } from '../stream/streams.js'
import type { Consumer } from './consumer.js'
import {
  type ConsumeOptions,
  type Delivery,
  type GroupHandler,
  type OrderedDelivery,
  type ResolvedGroupOptions,
  resolveConsumeOptions,
  type SharedDelivery,
} from './group-options.js'
import { OrderedConsumer } from './ordered-consumer.js'
import { SharedConsumer } from './shared-consumer.js'

/** A message that failed too often. */
export interface DeadLetter<T> {
  readonly offset: number
  /** `undefined` when the stream had dropped it before it died. */
  readonly payload: T | undefined
  readonly key: string | undefined
  readonly headers: Readonly<Record<string, string>> | undefined
  readonly attempts: number
  /** What was thrown the last time. */
  readonly error: string | undefined
  /** When it died, in milliseconds since the epoch. */
  readonly at: number
}

/** Options of {@link ConsumerGroup.deadLetters}. */
export interface DeadLetterOptions {
  /** Begins after this offset. @defaultValue `0` */
  readonly after?: number | undefined
  /** @defaultValue `100` */
  readonly limit?: number | undefined
}

/** The stream a group reads. @internal */
export interface GroupStream<T> {
  readonly name: string
  open(): Promise<number>
  batches(options: BatchesOptions): AsyncGenerator<Batch<T>, void, void>
}

/**
 * Consumers that share a stream out among them, in whatever processes; made by {@link Stream.group}. The group remembers how far it is.
 *
 * A group whose members have all gone goes on where it was when one comes back. What its members do not read in time, the stream's retention takes
 * all the same; they are told.
 */
export class ConsumerGroup<T, D extends Delivery = SharedDelivery> {
  readonly #streams: Streams
  readonly #stream: GroupStream<T>
  readonly #options: ResolvedGroupOptions
  #opening: Promise<OpenedGroup> | undefined

  /** Groups of one name on one stream are one group. */
  readonly name: string

  /** @internal */
  constructor(
    name: string,
    options: ResolvedGroupOptions,
    stream: GroupStream<T>,
    streams: Streams,
  ) {
    this.name = name
    this.#options = options
    this.#stream = stream
    this.#streams = streams
  }

  /**
   * Has `handler` do the group's messages in this process until the consumer is closed. A handler that ends has done its message; one that throws
   * is called again after a while, until the message has failed `maxAttempts` times and is a dead letter.
   *
   * @throws {@link HowdahError} PUBSUB_INVALID_OPTION, also when the group was made with another mode
   *
   * @example
   * ```ts
   * import { PubSub } from '@howdah/pubsub'
   * import { Pool } from 'pg'
   *
   * const orders = new PubSub({ pool: new Pool() }).stream<{ cents: number }>('orders')
   * const consumer = await orders
   *   .group('ledger', { mode: 'ordered', start: 'earliest' })
   *   .consume(async ({ payload }, { tx }) => {
   *     await tx.query('update ledger set cents = cents + $1', [payload.cents])
   *   })
   * await consumer.close()
   * ```
   */
  async consume(
    handler: (message: StreamMessage<T>, delivery: D) => unknown,
    options: ConsumeOptions = {},
  ): Promise<Consumer> {
    if (typeof handler !== 'function') throw invalid('The handler must be a function of a message.')
    const { concurrency, transactionSize } = resolveConsumeOptions(options)
    const { id, partitions } = await this.#open()
    const number = await this.#stream.open()
    const streams = this.#streams
    const consuming = {
      streams,
      group: id,
      number,
      stream: this.#stream,
      partitions,
      options: this.#options,
      handler: handler as unknown as GroupHandler<T>,
      onError: streams.onError,
      onClosed: () => streams.consumers.delete(consumer),
    }
    const consumer: Consumer =
      this.#options.mode === 'ordered'
        ? new OrderedConsumer<T>(consuming, transactionSize)
        : new SharedConsumer<T>(consuming, concurrency)
    streams.consumers.add(consumer)
    return consumer
  }

  /** Lists messages that failed too often, in the order of their offsets. */
  async deadLetters({ after = 0, limit = 100 }: DeadLetterOptions = {}): Promise<DeadLetter<T>[]> {
    const from = whole('after', after, 0, Number.MAX_SAFE_INTEGER)
    const size = whole('limit', limit, 1, 10_000)
    const { db } = this.#streams
    const { id } = await this.#open()
    return (await db.query(listDeadLetters(db.schema, id, from, size))).map((row) => ({
      offset: Number(row.off),
      payload: row.payload === null ? undefined : (JSON.parse(row.payload) as T),
      key: row.key ?? undefined,
      headers: row.headers ?? undefined,
      attempts: row.attempts,
      error: row.error ?? undefined,
      at: row.at,
    }))
  }

  /**
   * Gives dead letters of a shared group out anew, all or those of the given offsets, and answers how many. Those the stream no longer has stay
   * dead. An ordered group has passed them for good: do what they ask by hand, then {@link ConsumerGroup.forget} them.
   *
   * @throws {@link HowdahError} PUBSUB_INVALID_OPTION for an ordered group
   */
  async redrive(offsets?: readonly number[]): Promise<number> {
    if (this.#options.mode === 'ordered') {
      throw invalid(
        'An ordered group cannot go back for one message. Handle it by hand, then forget() it.',
      )
    }
    const { db } = this.#streams
    const { id } = await this.#open()
    const [row] = await db.query(redriveDeadLetters(db.schema, id, offsets ?? null))
    this.#streams.nudge()
    return row?.n ?? 0
  }

  /** Forgets dead letters, all or those of the given offsets, and answers how many. */
  async forget(offsets?: readonly number[]): Promise<number> {
    const { db } = this.#streams
    const { id } = await this.#open()
    const [row] = await db.query(forgetDeadLetters(db.schema, id, offsets ?? null))
    return row?.n ?? 0
  }

  /** Sends the group to another place; its members go on there. What they work on at the time is theirs no longer. */
  async seek(after: After): Promise<void> {
    const { epoch, offset } = parseAfter(after)
    const { db } = this.#streams
    const { id } = await this.#open()
    await db.query(seekGroup(db.schema, id, epoch, offset))
    this.#streams.nudge()
  }

  /** Drops the group with its place and its dead letters. */
  async drop(): Promise<void> {
    const { db } = this.#streams
    const { id } = await this.#open()
    await db.query(dropGroup(db.schema, id))
    this.#opening = undefined
  }

  #open(): Promise<OpenedGroup> {
    this.#opening ??= this.#find().catch((error) => {
      this.#opening = undefined
      throw error
    })
    return this.#opening
  }

  async #find(): Promise<OpenedGroup> {
    const { mode, partitions, start } = this.#options
    const stream = await this.#stream.open()
    const { epoch, offset } = parseAfter(start)
    const { db } = this.#streams
    const statement = openGroup(db.schema, stream, this.name, mode, partitions, epoch, offset)
    const [group] = await db.query(statement)
    if (group === undefined || group.mode !== mode) {
      throw pubSubError(
        'PUBSUB_INVALID_OPTION',
        `The group '${this.name}' is ${group?.mode}, for so it was made. Use that mode, or another name.`,
      )
    }
    return group
  }
}

/** A group whose messages are done in order, each in a transaction. */
export type OrderedGroup<T> = ConsumerGroup<T, OrderedDelivery>
