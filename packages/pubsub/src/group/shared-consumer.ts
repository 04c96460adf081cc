/**
 * A member of a shared group.
 *
 * States of a message here: held -> done | handed back | lost. Invariants
 * - No more messages are held than there are places, and each place runs one handler.
 * - While a handler runs, its message is kept well before its lease ends. One whose lease ended all the same is lost: its signal is aborted, and what
 *   becomes of it counts no more.
 * - Messages that end at the same time are told of in one statement.
 */
import { randomUUID } from 'node:crypto'
import { type Duration, errorText, Loop, parseDuration } from '@howdah/core'
import { pubSubError } from '../errors.js'
import { SEPARATOR } from '../migrations/fragments.js'
import { type SharedEnd, settleShared, type Taken, takeShared } from '../sql/shared-group.js'
import type { StreamMessage } from '../stream/batch.js'
import { position } from '../stream/position.js'
import { CLOSE_WITHIN_MS, type Consumer, ERROR_LENGTH, pause } from './consumer.js'
import { type Consuming, tellDiscontinuity } from './consuming.js'
import { type GroupHandler, retryDelay, type SharedDelivery } from './group-options.js'

/** Longest wait for a sign of new messages: for what is due again, and for signs that were lost. */
const LOOK_MS = 5000

interface Held<T> {
  readonly message: StreamMessage<T>
  readonly lease: number
  readonly attempts: number
  readonly abort: AbortController
}

/** Takes messages while there are places, and gives them to the handler. */
export class SharedConsumer<T> implements Consumer {
  readonly #with: Consuming<T>
  readonly #places: number
  readonly #owner = randomUUID()
  readonly #stop = new AbortController()
  readonly #held = new Map<number, Held<T>>()
  readonly #running = new Set<Promise<void>>()
  readonly #keeping: Loop
  readonly #taking: Promise<void>
  #ends: SharedEnd[] = []
  #settling: Promise<void> | undefined
  #free: () => void = () => {}
  #comesAgain: () => void = () => {}
  #closing: Promise<void> | undefined

  constructor(consuming: Consuming<T>, concurrency: number) {
    this.#with = consuming
    this.#places = concurrency
    this.#keeping = new Loop({
      interval: consuming.options.leaseMs / 3,
      run: () => this.#keep(),
      backoff: { initial: 30, max: consuming.options.leaseMs / 3 },
      onError: consuming.onError,
    })
    this.#keeping.start()
    this.#taking = this.#take()
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(): Promise<void> {
    this.#stop.abort()
    await this.#taking
    const late = new AbortController()
    await pause(CLOSE_WITHIN_MS, late.signal, Promise.all(this.#running))
    for (const { message, lease, abort } of this.#held.values()) {
      abort.abort()
      this.#end({ off: message.offset, lease, delay: 0, error: null })
    }
    this.#held.clear()
    await this.#keeping.stop()
    await this.#settling
    this.#with.onClosed()
  }

  async #take(): Promise<void> {
    const { streams, stream, number, onError } = this.#with
    const { signal } = this.#stop
    for (let failures = 1; !signal.aborted; failures++) {
      let release = () => {}
      try {
        release = await streams.follow()
        const reader = streams.reader(number, stream.name)
        while (!signal.aborted) {
          const changed = Promise.race([reader.changed(), this.#sooner()])
          const due = await this.#takeSome()
          failures = 1
          if (due > 0) await pause(due, signal, changed)
          await this.#place()
        }
      } catch (error) {
        if (!signal.aborted) onError(error)
        await pause(retryDelay(100, failures), signal)
      } finally {
        release()
      }
    }
  }

  /** Answers how long to wait before the next look. */
  async #takeSome(): Promise<number> {
    const { streams, group, options } = this.#with
    const limit = this.#places - this.#held.size
    if (limit <= 0) return 0
    const statement = takeShared(
      streams.db.schema,
      group,
      this.#owner,
      limit,
      options.leaseMs,
      options.maxAttempts,
    )
    const [taken] = await streams.db.query(statement)
    if (taken === undefined) return LOOK_MS
    await this.#told(taken)
    const messages = decode<T>(taken)
    for (const held of messages) this.#start(held)
    if (messages.length === limit) return 0
    return Math.max(1, Math.min(LOOK_MS, taken.due ?? LOOK_MS))
  }

  #start(held: Held<T>): void {
    this.#held.set(held.message.offset, held)
    const running = this.#run(held).finally(() => this.#running.delete(running))
    this.#running.add(running)
  }

  async #run(held: Held<T>): Promise<void> {
    const { message, lease, attempts, abort } = held
    const { options, onError } = this.#with
    const handler = this.#with.handler as unknown as GroupHandler<T, SharedDelivery>
    let end: SharedEnd = { off: message.offset, lease, delay: null, error: null }
    let asked: number | undefined
    const retryAfter = (delay: Duration) => {
      asked = parseDuration(delay, 'delay')
    }
    try {
      await handler(message, { attempt: attempts, signal: abort.signal, retryAfter })
      if (asked !== undefined) end = { ...end, delay: asked, error: 'The handler asked for it.' }
    } catch (error) {
      onError(error)
      const delay = asked ?? retryDelay(options.backoffMs, attempts)
      end = { ...end, delay, error: errorText(error, ERROR_LENGTH) }
    }
    // The last attempt is taken up at once, to be buried.
    if (end.delay !== null && attempts >= options.maxAttempts) end = { ...end, delay: 0 }
    if (this.#held.get(message.offset) !== held) return
    this.#held.delete(message.offset)
    this.#end(end)
    this.#free()
  }

  /** Resolves when something was handed back, which may be due before what was looked for. */
  #sooner(): Promise<void> {
    return new Promise((resolve) => {
      this.#comesAgain = resolve
    })
  }

  /** Waits for a place. */
  async #place(): Promise<void> {
    if (this.#held.size < this.#places) return
    await new Promise<void>((resolve) => {
      this.#free = resolve
      this.#stop.signal.addEventListener('abort', () => resolve(), { once: true })
    })
  }

  #end(end: SharedEnd): void {
    this.#ends.push(end)
    this.#settling ??= Promise.resolve().then(() => this.#settle())
  }

  async #settle(): Promise<void> {
    while (this.#ends.length > 0) {
      const ends = this.#ends
      this.#ends = []
      try {
        this.#lose(await this.#say(ends))
        if (ends.some(({ delay }) => delay !== null)) this.#comesAgain()
      } catch (error) {
        // The leases run out, and the messages come again: at least once.
        this.#with.onError(error)
      }
    }
    this.#settling = undefined
  }

  async #keep(): Promise<undefined> {
    const ends = [...this.#held.values()].map(({ message, lease }) => ({
      off: message.offset,
      lease,
      delay: -1,
      error: null,
    }))
    if (ends.length === 0) return
    const lost = new Set(await this.#say(ends))
    // One that ended meanwhile is no longer held, and nobody's loss.
    this.#lose([...lost].filter((off) => this.#held.has(off)))
  }

  async #say(ends: readonly SharedEnd[]): Promise<readonly number[]> {
    const { streams, group, options } = this.#with
    const statement = settleShared(streams.db.schema, group, ends, options.leaseMs)
    return (await streams.db.query(statement))[0]?.lost ?? []
  }

  #lose(offsets: readonly number[]): void {
    for (const off of offsets) {
      this.#held.get(off)?.abort.abort()
      this.#held.delete(off)
      this.#with.onError(
        pubSubError(
          'PUBSUB_LEASE_LOST',
          `Message ${off} took longer than its lease could be kept, and was given to another. Make the handler shorter, or the lease longer.`,
        ),
      )
    }
    if (offsets.length > 0) this.#free()
  }

  async #told({ lost, valid }: Taken): Promise<void> {
    const gone = Number(lost)
    if (valid === null && gone === 0) return
    const continuity = valid === null ? 'truncated' : 'reset'
    await tellDiscontinuity(this.#with, { continuity, validUntil: Number(valid ?? 0), lost: gone })
  }
}

function decode<T>({ given, payloads, epoch }: Taken): Held<T>[] {
  if (given === null || payloads === null) return []
  const values = JSON.parse(`[${payloads.replaceAll(SEPARATOR, ',')}]`) as T[]
  return given.map(([offset, lease, attempts, key, headers, at], n) => ({
    lease,
    attempts,
    abort: new AbortController(),
    message: {
      offset,
      position: position(epoch, offset),
      key: key ?? undefined,
      payload: values[n] as T,
      headers: headers ?? undefined,
      at,
    },
  }))
}
