/**
 * A member of an ordered group.
 *
 * States of a partition here: owned -> (given up, or lost) gone. Invariants
 * - What a handler does and the move of the cursor are one transaction, which fails unless the partition is still ours. So each message takes effect
 *   once, however many members believe they own it.
 * - A message that fails holds up its partition until it is done, or is a dead letter.
 * - Partitions are given up between two messages, never in one.
 */
import { randomUUID } from 'node:crypto'
import { errorText, Loop, sqlState, type Transaction } from '@howdah/core'
import { pubSubError } from '../errors.js'
import {
  advanceOrdered,
  failOrdered,
  type OwnedPartition,
  type PartitionPlace,
  releaseOrdered,
  renewOrdered,
} from '../sql/ordered-group.js'
import type { Batch, StreamMessage } from '../stream/batch.js'
import { parseAfter, position } from '../stream/position.js'
import { CLOSE_WITHIN_MS, type Consumer, ERROR_LENGTH, pause } from './consumer.js'
import { type Consuming, tellDiscontinuity } from './consuming.js'
import { retryDelay } from './group-options.js'
import { partitionOf } from './partition.js'

interface Owned {
  readonly part: number
  readonly fence: number
  readonly abort: AbortController
  readonly done: Promise<void>
  cursor: number
  attempts: number
}

/** Takes its share of partitions, and works on each. */
export class OrderedConsumer<T> implements Consumer {
  readonly #with: Consuming<T>
  readonly #size: number
  readonly #member = randomUUID()
  readonly #owned = new Map<number, Owned>()
  readonly #renewal: Loop
  #closing: Promise<void> | undefined

  constructor(consuming: Consuming<T>, transactionSize: number) {
    this.#with = consuming
    this.#size = transactionSize
    this.#renewal = new Loop({
      interval: consuming.options.leaseMs / 3,
      run: () => this.#renew(),
      backoff: { initial: 30, max: consuming.options.leaseMs / 3 },
      onError: consuming.onError,
      keepAlive: true,
    })
    this.#renewal.start()
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(): Promise<void> {
    await this.#renewal.stop()
    const owned = [...this.#owned.values()]
    for (const each of owned) each.abort.abort()
    const given = new AbortController()
    await pause(CLOSE_WITHIN_MS, given.signal, Promise.all(owned.map(({ done }) => done)))
    await this.#release(owned, true)
    this.#owned.clear()
    this.#with.onClosed()
  }

  async #renew(): Promise<undefined> {
    const { streams, group, options } = this.#with
    const { db } = streams
    const places = [...this.#owned.values()]
    const statement = renewOrdered(db.schema, group, this.#member, options.leaseMs, places)
    const [row] = await db.query(statement)
    if (row === undefined || this.#closing !== undefined) return
    this.#adopt(row.owned)
    // Members may have joined: they take what we give up.
    const extra = [...this.#owned.values()].slice(row.share)
    await Promise.all(extra.map((each) => this.#giveUp(each)))
  }

  #adopt(owned: readonly OwnedPartition[]): void {
    const fences = new Map(owned.map(([part, fence]) => [part, fence]))
    for (const each of this.#owned.values()) {
      if (fences.get(each.part) === each.fence) continue
      each.abort.abort()
      this.#owned.delete(each.part)
    }
    for (const [part, fence, epoch, cursor, attempts] of owned) {
      if (!this.#owned.has(part)) this.#work(part, fence, epoch, cursor, attempts)
    }
  }

  #work(part: number, fence: number, epoch: number, cursor: number, attempts: number): void {
    const abort = new AbortController()
    let start = () => {}
    const started = new Promise<void>((resolve) => {
      start = resolve
    })
    const owned: Owned = {
      part,
      fence,
      abort,
      cursor,
      attempts,
      done: started.then(() => this.#follow(owned, position(epoch, cursor))),
    }
    this.#owned.set(part, owned)
    start()
  }

  async #giveUp(owned: Owned): Promise<void> {
    owned.abort.abort()
    await owned.done
    if (this.#owned.get(owned.part) === owned) this.#owned.delete(owned.part)
    await this.#release([owned], false)
  }

  async #release(places: readonly PartitionPlace[], leave: boolean): Promise<void> {
    const { streams, group, onError } = this.#with
    const statement = releaseOrdered(streams.db.schema, group, this.#member, places, leave)
    // What cannot be said now runs out by itself.
    await streams.db.query(statement).catch(onError)
  }

  /** Never rejects: it begins again where the group stands, until the partition is gone. */
  async #follow(owned: Owned, from: string): Promise<void> {
    let after = from
    const { signal } = owned.abort
    for (let failures = 1; !signal.aborted; failures++) {
      try {
        for await (const batch of this.#with.stream.batches({ after, signal })) {
          const { continuity, validUntil, lost } = batch
          await tellDiscontinuity(this.#with, { continuity, validUntil, lost })
          if (batch.continuity !== 'ok') owned.cursor = batch.validUntil + batch.lost
          if (!(await this.#doBatch(owned, batch))) break
          after = batch.next
          failures = 1
        }
      } catch (error) {
        if (!signal.aborted) this.#with.onError(error)
      }
      after = position(Number(parseAfter(after).epoch), owned.cursor)
      if (!signal.aborted) await pause(retryDelay(100, failures), signal)
    }
  }

  /** Answers whether to go on; else to begin again at the cursor. */
  async #doBatch(owned: Owned, batch: Batch<T>): Promise<boolean> {
    const epoch = Number(parseAfter(batch.next).epoch)
    const { partitions } = this.#with
    const own = batch.messages.filter(({ key }) => partitionOf(key, partitions) === owned.part)
    for (let at = 0; at < own.length; at += this.#size) {
      if (owned.abort.signal.aborted) return false
      if (!(await this.#doSome(owned, own.slice(at, at + this.#size), epoch))) return false
    }
    if (!owned.abort.signal.aborted) owned.cursor = Number(parseAfter(batch.next).offset)
    return true
  }

  async #doSome(
    owned: Owned,
    messages: readonly StreamMessage<T>[],
    epoch: number,
  ): Promise<boolean> {
    let doing = messages[0] as StreamMessage<T>
    try {
      await this.#with.streams.db.transaction(async (tx) => {
        for (doing of messages) await this.#handle(owned, doing, tx)
        await this.#advance(owned, tx, epoch, (messages.at(-1) as StreamMessage<T>).offset)
      })
      owned.cursor = (messages.at(-1) as StreamMessage<T>).offset
      owned.attempts = 0
      return true
    } catch (error) {
      return await this.#failed(owned, messages, doing, epoch, error)
    }
  }

  async #handle(owned: Owned, message: StreamMessage<T>, tx: Transaction): Promise<void> {
    const { signal } = owned.abort
    await this.#with.handler(message, { tx, attempt: owned.attempts + 1, signal })
  }

  async #advance(owned: Owned, tx: Transaction, epoch: number, offset: number): Promise<void> {
    const { streams, group } = this.#with
    const { part, fence } = owned
    const { db } = streams
    const statement = advanceOrdered(db.schema, group, part, fence, epoch, offset)
    if ((await db.query(statement, tx))[0]?.owned === true) return
    owned.abort.abort()
    throw pubSubError(
      'PUBSUB_LEASE_LOST',
      `Partition ${part} of the group was taken over, for its lease had run out. What the handler wrote was rolled back.`,
    )
  }

  /** Answers whether the message is out of the way. */
  async #failed(
    owned: Owned,
    messages: readonly StreamMessage<T>[],
    message: StreamMessage<T>,
    epoch: number,
    error: unknown,
  ): Promise<boolean> {
    const { streams, group, options, onError } = this.#with
    if (owned.abort.signal.aborted) return false
    // Two transactions that got in each other's way are nobody's failure.
    if (['40001', '40P01'].includes(sqlState(error) ?? '')) return false
    onError(error)
    const first = messages[0] as StreamMessage<T>
    // Those before it were undone with it: alone they take effect, and then it is its turn.
    if (message !== first) return this.#doSomeOneByOne(owned, messages, epoch)
    const { part, fence } = owned
    const statement = failOrdered(
      streams.db.schema,
      group,
      part,
      fence,
      message.offset,
      options.maxAttempts,
      errorText(error, ERROR_LENGTH),
    )
    const [row] = await streams.db.query(statement)
    if (row == null || row.attempts === null) {
      owned.abort.abort()
      return false
    }
    owned.attempts = row.dead ? 0 : row.attempts
    if (row.dead) {
      owned.cursor = message.offset
      return messages.length === 1 ? true : this.#doSome(owned, messages.slice(1), epoch)
    }
    await pause(retryDelay(options.backoffMs, row.attempts), owned.abort.signal)
    return owned.abort.signal.aborted ? false : this.#doSome(owned, messages, epoch)
  }

  async #doSomeOneByOne(
    owned: Owned,
    messages: readonly StreamMessage<T>[],
    epoch: number,
  ): Promise<boolean> {
    for (const message of messages) {
      if (owned.abort.signal.aborted || !(await this.#doSome(owned, [message], epoch))) return false
    }
    return true
  }
}
