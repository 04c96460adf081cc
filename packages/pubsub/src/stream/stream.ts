import { setTimeout as later } from 'node:timers/promises'
import {
  checkSchema,
  encodeJson,
  sqlState,
  type Tracer,
  type TransactionHandle,
  validate,
} from '@howdah/core'
import { pubSubError } from '../errors.js'
import { ConsumerGroup, type OrderedGroup } from '../group/group.js'
import { type GroupOptions, resolveGroupName, resolveGroupOptions } from '../group/group-options.js'
import { append, appendChecked, type StoredMessage } from '../sql/append-messages.js'
import { dropStream } from '../sql/stream-operations.js'
import type { Batch, BatchesOptions, ReadOptions, StreamMessage } from './batch.js'
import { brokenBy } from './discontinuity.js'
import {
  type Appended,
  type AppendManyOptions,
  type AppendOptions,
  DEFAULT_MAX_PAYLOAD_BYTES,
  type FollowOptions,
  invalid,
  type NewMessage,
  resolveExpected,
  resolveHeaders,
  resolveLimit,
  resolveMessageKey,
  type StreamOptions,
  streamSettings,
  whole,
} from './options.js'
import { throughOutages } from './outage.js'
import { type Cursor, parseAfter } from './position.js'
import type { StreamReader } from './reader.js'
import type { Streams } from './streams.js'
import { type StreamSubscription, Subscriber } from './subscriber.js'

/** SQLSTATE with which the server refuses an append to a stream that was dropped. */
const NO_DATA = 'P0002'

/**
 * A durable log of messages of type `T` (anything JSON can say); made by {@link PubSub.stream}.
 *
 * Each message gets an offset, counted from 1 without a gap. If one append has committed before another began, it has the lower offset, over
 * all processes and for appends in SQL too; appends of one process outside of transactions have the order of the calls. A reader meets
 * every message from where it began, each once and in this order, or is told why not.
 *
 * Appending takes no lock and notifies nobody inside the transaction. A transaction that stays open holds up its own messages only.
 */
export class Stream<T = unknown> {
  readonly #streams: Streams
  readonly #appendTracer: Tracer
  readonly #schema: StreamOptions<T>['schema']
  readonly #settings: string
  readonly #maxPayloadBytes: number
  #opening: Promise<number> | undefined
  /** Its number, once it is there. */
  #number: number | undefined

  /** The stream's name. Streams of one name on one database are one stream, in whatever process. */
  readonly name: string

  /** @internal */
  constructor(name: string, options: StreamOptions<T>, streams: Streams, appendTracer: Tracer) {
    checkSchema('schema', options.schema, invalid)
    this.name = name
    this.#schema = options.schema
    this.#settings = streamSettings(options)
    this.#maxPayloadBytes = whole(
      'maxPayloadBytes',
      options.maxPayloadBytes ?? DEFAULT_MAX_PAYLOAD_BYTES,
      1,
      2 ** 28,
    )
    this.#streams = streams
    this.#appendTracer = appendTracer
  }

  /**
   * Appends a message. Without a client it resolves once the message is on disk, and calls made at the same time share a statement;
   * with one, the message is there if and when that transaction commits.
   *
   * @throws {@link HowdahError} PUBSUB_INVALID_MESSAGE when JSON cannot say the payload, or it does not fit the schema
   * @throws {@link HowdahError} PUBSUB_MESSAGE_TOO_LARGE above `maxPayloadBytes`
   * @throws {@link HowdahError} PUBSUB_CONFLICT when `expectedOffset` is not the last; nothing is appended, and the transaction can go on
   */
  async append(payload: T, options: AppendOptions = {}): Promise<Appended> {
    const { client, expectedOffset, dedupKey, key, headers } = options
    const alone = client === undefined && expectedOffset === undefined && dedupKey === undefined
    // Where there is nothing to wait for, a message costs one promise.
    if (
      alone &&
      !this.#appendTracer.active &&
      this.#number !== undefined &&
      !this.#streams.closed &&
      !this.#streams.isDropped(this.#number) &&
      this.#schema === undefined
    ) {
      return this.#streams.appender.add(this.#stored(this.#number, { payload, key, headers }))
    }
    return this.#appendTracer.run(
      () => ({ target: this.name, count: 1 }),
      async () => {
        if (alone) return this.#streams.appender.add(await this.#store({ payload, key, headers }))
        const message = { payload, key, headers, dedupKey }
        const [one] = await this.#write([message], { client, expectedOffset })
        return one as Appended
      },
    )
  }

  /**
   * Appends messages in one statement: all of them or none, next to each other in the order of their offsets but for messages of transactions that
   * commit at the same time. Answers in their order.
   *
   * @throws {@link HowdahError} as {@link Stream.append} does
   */
  async appendMany(
    messages: readonly NewMessage<T>[],
    options: AppendManyOptions = {},
  ): Promise<Appended[]> {
    if (!Array.isArray(messages)) throw invalid('appendMany() takes an array of messages.')
    if (messages.length === 0) return []
    const context = () => ({ target: this.name, count: messages.length })
    return this.#appendTracer.run(context, () => this.#write(messages, options))
  }

  /**
   * Reads messages, everything included that was committed before the call. The batch is shared with other readers.
   *
   * @throws {@link HowdahError} PUBSUB_INVALID_OPTION
   */
  async read({ after = 'earliest', limit }: ReadOptions = {}): Promise<Batch<T>> {
    const cursor = parseAfter(after)
    const size = resolveLimit(limit)
    const reader = await this.#reader()
    await this.#streams.sequencer.settle()
    return this.#readAt(reader, cursor, size)
  }

  /**
   * Iterates over batches, and waits for more at the end. It reads when it is asked for the next one, so that a reader who is slow takes no
   * memory; recent messages come from memory that all readers of the process share. Batches have messages, or tell of a discontinuity;
   * the first may have none, and says where the reading begins. While the server is away it goes on trying, and the PubSub's `error` event tells.
   *
   * @example
   * ```ts
   * import { PubSub } from '@howdah/pubsub'
   * import { Pool } from 'pg'
   *
   * const orders = new PubSub({ pool: new Pool() }).stream<{ id: number }>('orders')
   * for await (const { messages, next } of orders.batches({ after: '1:42', signal: AbortSignal.timeout(60_000) })) {
   *   for (const { offset, payload } of messages) console.log(offset, payload.id)
   *   console.log('go on after', next)
   * }
   * ```
   */
  async *batches({
    after = 'earliest',
    limit,
    signal,
  }: BatchesOptions = {}): AsyncGenerator<Batch<T>, void, void> {
    let cursor = parseAfter(after)
    const size = resolveLimit(limit)
    const reader = await this.#reader()
    const release = await this.#streams.follow()
    const aborted = abortion(signal)
    const over = () => signal?.aborted === true || this.#streams.closed
    const wait = (ms: number) => aborted.or(later(ms))
    const { onError } = this.#streams
    try {
      for (let first = true; ; first = false) {
        const changed = reader.changed()
        const read = () => this.#readAt(reader, cursor, size)
        const batch = await throughOutages(read, over, wait, onError)
        if (batch === undefined) return
        if (first || batch.messages.length > 0 || batch.continuity !== 'ok') {
          cursor = parseAfter(batch.next)
          yield batch
        } else {
          await aborted.or(changed)
        }
        if (over()) return
      }
    } finally {
      aborted.unlink()
      release()
    }
  }

  /**
   * Iterates over messages, and waits for more at the end, until the signal aborts or the loop is left.
   *
   * @throws {@link HowdahError} PUBSUB_TRUNCATED, PUBSUB_RESET where there is no `onDiscontinuity`
   */
  async *messages(options: FollowOptions = {}): AsyncGenerator<StreamMessage<T>, void, void> {
    const { after = 'latest', signal, onDiscontinuity } = options
    for await (const batch of this.batches({ after, signal })) {
      await brokenBy(this.name, batch, onDiscontinuity)
      yield* batch.messages
    }
  }

  /**
   * Calls `handler` with each message, one after another, and waits for what it promises. Resolves once it is sure from where. A handler that
   * throws ends the subscription, whose `ended` then rejects; for messages that are tried again see {@link Stream.group}.
   */
  async subscribe(
    handler: (message: StreamMessage<T>) => unknown,
    options: FollowOptions = {},
  ): Promise<StreamSubscription> {
    if (typeof handler !== 'function') throw invalid('The handler must be a function of a message.')
    return Subscriber.start(this, handler, options)
  }

  /**
   * Names a group of consumers that share the stream out among them. Costs nothing until it is used.
   *
   * @throws {@link HowdahError} PUBSUB_INVALID_OPTION, CORE_INVALID_DURATION
   */
  group(name: string, options: GroupOptions & { readonly mode: 'ordered' }): OrderedGroup<T>
  group(name: string, options: GroupOptions & { readonly mode: 'shared' }): ConsumerGroup<T>
  group(name: string, options: GroupOptions): ConsumerGroup<T, never> {
    return new ConsumerGroup<T, never>(
      resolveGroupName(name),
      resolveGroupOptions(options),
      this,
      this.#streams,
    )
  }

  /** Position after the last message, everything included that was committed before the call. */
  async head(): Promise<string> {
    return (await this.read({ after: 'latest', limit: 1 })).next
  }

  /**
   * Drops the stream with its messages and groups. Whoever follows it ends with PUBSUB_NOT_FOUND; an append by this object, or one made
   * afterwards, makes a new one, whose offsets begin at 1. The next append by an object that knew it before fails with PUBSUB_NOT_FOUND.
   */
  async drop(): Promise<void> {
    const { db } = this.#streams
    await db.query(dropStream(db.schema, await this.open()))
    this.#opening = undefined
    this.#number = undefined
    this.#streams.nudge()
  }

  /** @internal The stream's number, once it is there. */
  open(): Promise<number> {
    this.#streams.assertOpen()
    if (this.#number !== undefined && this.#streams.isDropped(this.#number)) {
      this.#number = undefined
      this.#opening = undefined
    }
    this.#opening ??= this.#streams.open(this.name, this.#settings).then(
      (number) => {
        this.#number = number
        return number
      },
      (error) => {
        this.#opening = undefined
        throw error
      },
    )
    return this.#opening
  }

  async #reader(): Promise<StreamReader> {
    return this.#streams.reader(await this.open(), this.name)
  }

  async #readAt(reader: StreamReader, cursor: Cursor, limit: number): Promise<Batch<T>> {
    return (await reader.read(cursor, limit)) as Batch<T>
  }

  async #write(
    messages: readonly NewMessage<T>[],
    { client, expectedOffset }: AppendManyOptions,
  ): Promise<Appended[]> {
    const expected = resolveExpected(expectedOffset)
    const dedup = messages.map(({ dedupKey }) => resolveMessageKey('dedupKey', dedupKey))
    const stored: StoredMessage[] = []
    for (const message of messages) stored.push(await this.#store(message))
    const checked = expected !== null || dedup.some((key) => key !== null)
    const appended = checked
      ? await this.#appendChecked(stored, dedup, expected, client)
      : await this.#appendPlain(stored, client)
    const { sequencer } = this.#streams
    if (!this.#streams.db.afterCommit(client, () => sequencer.ring(stored.length)))
      this.#streams.expect()
    return appended
  }

  async #appendPlain(
    stored: readonly StoredMessage[],
    client: TransactionHandle | undefined,
  ): Promise<Appended[]> {
    const { db } = this.#streams
    const [row] = await db
      .query(append(db.schema, stored), client)
      .catch((error) => this.#refused(error))
    if (row?.ids == null) throw this.#streams.dropped(await this.open())
    return row.ids.split(',').map((id) => ({ id, duplicate: false }))
  }

  async #appendChecked(
    stored: readonly StoredMessage[],
    dedup: readonly (string | null)[],
    expected: number | null,
    client: TransactionHandle | undefined,
  ): Promise<Appended[]> {
    const { db } = this.#streams
    const [row] = await db
      .query(appendChecked(db.schema, stored, dedup, expected), client)
      .catch((error) => this.#refused(error))
    if (row?.conflict != null) {
      throw pubSubError(
        'PUBSUB_CONFLICT',
        `The last offset of '${this.name}' is ${row.conflict} and not ${expected}: something was appended meanwhile. Read what it was and decide anew.`,
      )
    }
    const duplicates = new Set((row?.duplicates ?? '').split(','))
    return (row?.ids ?? '')
      .split(',')
      .map((id, n) => ({ id, duplicate: duplicates.has(String(n + 1)) }))
  }

  async #refused(error: unknown): Promise<never> {
    if (sqlState(error) !== NO_DATA) throw error
    throw this.#streams.dropped(await this.open())
  }

  async #store(message: NewMessage<T>): Promise<StoredMessage> {
    const number = await this.open()
    if (this.#schema === undefined) return this.#stored(number, message)
    return this.#stored(number, { ...message, payload: await this.#validate(message.payload) })
  }

  #stored(stream: number, { payload, key, headers }: NewMessage<T>): StoredMessage {
    return {
      stream,
      key: resolveMessageKey('key', key),
      headers: resolveHeaders(headers),
      payload: this.#encode(payload),
    }
  }

  #validate(payload: unknown): Promise<T> {
    const schema = this.#schema as NonNullable<StreamOptions<T>['schema']>
    return validate(schema, payload, 'The payload', (message, cause) =>
      pubSubError('PUBSUB_INVALID_MESSAGE', message, cause),
    )
  }

  #encode(payload: unknown): string {
    const json = encodeJson(payload, noJson)
    // No UTF-16 unit takes more than three bytes.
    if (json.length * 3 <= this.#maxPayloadBytes) return json
    const bytes = Buffer.byteLength(json)
    if (bytes <= this.#maxPayloadBytes) return json
    throw pubSubError(
      'PUBSUB_MESSAGE_TOO_LARGE',
      `The payload is ${bytes} bytes and at most ${this.#maxPayloadBytes} are kept. Store it in a table and append its key, or raise maxPayloadBytes.`,
    )
  }
}

function noJson(cause: unknown) {
  return pubSubError(
    'PUBSUB_INVALID_MESSAGE',
    'The payload has no JSON form (undefined, a function, a bigint or a cycle). Use null for "nothing to say".',
    cause,
  )
}

/** Waits that an abort ends. No race with one promise for all of them: it would keep a reaction for each, for ever. */
function abortion(signal: AbortSignal | undefined) {
  let wake = () => {}
  const end = () => wake()
  signal?.addEventListener('abort', end, { once: true })
  return {
    or: (promise: Promise<void>) =>
      new Promise<void>((resolve) => {
        wake = resolve
        if (signal?.aborted) resolve()
        else void promise.then(resolve)
      }),
    unlink: () => signal?.removeEventListener('abort', end),
  }
}
