/**
 * The streams of one {@link PubSub} in one process.
 *
 * Invariants
 * - While anybody follows a stream, the hub is listened to, and one process of all looks for messages that were appended in plain SQL, of which
 *   nobody rings: the one that holds a name on its hub. Processes that can hold none look each for themselves. After a gap nothing is known of any stream, and every follower reads anew.
 * - A tick that nobody told of (the process died between the two) is told of by whoever notices.
 */
import { type Database, Loop } from '@howdah/core'
import { pubSubError } from '../errors.js'
import type { Consumer } from '../group/consumer.js'
import { openStream } from '../sql/open-stream.js'
import { trimStreams } from '../sql/stream-operations.js'
import { ensureTables } from '../tables.js'
import { Appender } from './appender.js'
import { StreamReader } from './reader.js'
import { Sequencer } from './sequencer.js'

const HUB_KIND = 'stream'
/** How often messages nobody rang for are looked for, and how often for a while after there were some. */
const IDLE_MS = 100
const BUSY_MS = 20
const BUSY_FOR_MS = 2000
/** The name that the process holds which looks, and how often the others try to. */
const LOOKING = 'streams'
const TAKEN_MS = 1000
/** A tick of which nothing was heard for this long is told of by another. */
const UNTOLD_MS = 300
/** How often what is kept no longer is taken away, and how often while there is more of it. */
const TRIM_MS = 15_000
const TRIM_AGAIN_MS = 50

type Told = readonly [tick: number, heads: Readonly<Record<string, number>> | null]

/** What the streams of a process share. */
export class Streams {
  readonly db: Database
  readonly appender: Appender
  readonly sequencer: Sequencer
  /** Consumers of groups that run here. */
  readonly consumers: Set<Consumer> = new Set()
  readonly onError: (error: unknown) => void
  readonly #readers = new Map<number, StreamReader>()
  readonly #looking: Loop
  readonly #trimming: Loop
  readonly #dropped = new Set<number>()
  #followers = 0
  #closed = false
  #listening: Promise<() => Promise<void>> | undefined
  #busyUntil = 0
  #leads = false
  #off = () => {}
  #told = 0
  #untold: { readonly tick: number; readonly since: number } | undefined

  constructor(db: Database, onError: (error: unknown) => void) {
    this.db = db
    this.onError = onError
    this.sequencer = new Sequencer(db, {
      onSequenced: (tick, heads) => this.#sequenced(tick, heads),
      onIdle: (tick) => this.#idle(tick),
      onError,
    })
    this.appender = new Appender(db, {
      onAppended: (messages) => this.sequencer.ring(messages),
      onDropped: (stream) => this.dropped(stream),
    })
    this.#trimming = new Loop({ interval: TRIM_MS, run: () => this.#trim(), onError })
    this.#looking = new Loop({ interval: IDLE_MS, run: async () => this.#look(), onError })
  }

  /** Whether it was closed: readers end. */
  get closed(): boolean {
    return this.#closed
  }

  /** @throws {@link HowdahError} PUBSUB_CLOSED */
  assertOpen(): void {
    if (this.#closed) throw pubSubError('PUBSUB_CLOSED', 'This PubSub is closed. Make a new one.')
  }

  /** Answers the number of a stream, making it if need be. */
  async open(name: string, settings: string): Promise<number> {
    await ensureTables(this.db)
    const [row] = await this.db.query(openStream(this.db.schema, name, settings))
    if (!this.#closed) this.#trimming.start()
    return (row as { id: number }).id
  }

  /** Notes that a stream was dropped: whoever holds its number opens it anew. Answers the error for who appended to it. */
  dropped(number: number): Error {
    this.#dropped.add(number)
    return pubSubError(
      'PUBSUB_NOT_FOUND',
      'The stream was dropped, and nothing was appended. The next append makes it anew.',
    )
  }

  /** Whether a number is known to be that of a stream which was dropped. */
  isDropped(number: number): boolean {
    return this.#dropped.has(number)
  }

  /** The reader of a stream, one for all of the process. */
  reader(stream: number, name: string): StreamReader {
    let reader = this.#readers.get(stream)
    if (reader === undefined) {
      reader = new StreamReader(this.db, stream, name)
      this.#readers.set(stream, reader)
    }
    return reader
  }

  /** Hears of new messages until the answered function is called. */
  async follow(): Promise<() => void> {
    this.#followers++
    let over = false
    const release = () => {
      if (over) return
      over = true
      if (--this.#followers === 0) this.#rest().catch(this.onError)
    }
    try {
      this.#listening ??= this.#listen()
      await this.#listening
      return release
    } catch (error) {
      this.#listening = undefined
      release()
      throw error
    }
  }

  /** Messages were appended in a transaction whose end we cannot see: look often for a while. */
  expect(): void {
    this.#busyUntil = performance.now() + BUSY_FOR_MS
    this.#looking.wake()
  }

  /** Has everybody look anew, where something changed that no tick tells of. */
  nudge(): void {
    this.db.hub.send(HUB_KIND, '', [0, null] satisfies Told).catch(this.onError)
  }

  /** Ends all reading. */
  async close(): Promise<void> {
    await Promise.all([...this.consumers].map((consumer) => consumer.close()))
    this.#closed = true
    await this.#trimming.stop()
    await this.#rest()
    await this.sequencer.close()
    for (const reader of this.#readers.values()) reader.stale()
  }

  async #listen(): Promise<() => Promise<void>> {
    const unregister = await this.db.hub.register(HUB_KIND, {
      onMessage: (_, told) => this.#hear(told),
      onGap: () => this.#forget(),
      keepAlive: true,
    })
    this.#off = this.db.hub.on('identity', () => {
      this.#leads = false
    })
    // What was appended before may not be in order yet.
    this.sequencer.ring()
    this.#looking.start()
    return unregister
  }

  async #rest(): Promise<void> {
    const listening = this.#listening
    this.#listening = undefined
    await this.#looking.stop()
    this.#off()
    if (this.#leads) await this.db.hub.letGo(LOOKING)
    this.#leads = false
    await (await listening?.catch(() => undefined))?.()
    if (this.#listening === undefined) this.#forget()
  }

  async #look(): Promise<number> {
    const busy = performance.now() < this.#busyUntil
    if (!busy && !this.#leads) {
      const held = await this.db.hub.tryHold(LOOKING)
      if (held === 'taken') return TAKEN_MS
      this.#leads = held === 'held'
    }
    this.sequencer.ring()
    return busy ? BUSY_MS : IDLE_MS
  }

  async #trim(): Promise<number> {
    const [row] = await this.db.query(trimStreams(this.db.schema))
    return row?.more === true ? TRIM_AGAIN_MS : TRIM_MS
  }

  #sequenced(tick: number, heads: Readonly<Record<string, number>>): void {
    if (this.#leads) this.#busyUntil = performance.now() + BUSY_FOR_MS
    this.#tell([tick, heads])
  }

  /** A tick counts as told once the hub has taken it; until then whoever looks tells of it again. */
  #tell(message: Told): void {
    this.#advance(message[1])
    this.db.hub.send(HUB_KIND, '', message).then(() => {
      this.#told = Math.max(this.#told, message[0])
    }, this.onError)
  }

  #hear(message: unknown): void {
    const [tick, heads] = message as Told
    this.#told = Math.max(this.#told, tick)
    this.#advance(heads)
  }

  #advance(heads: Told[1]): void {
    if (heads === null) this.#forget()
    for (const [stream, head] of Object.entries(heads ?? {})) {
      this.#readers.get(Number(stream))?.advanced(head)
    }
  }

  #idle(tick: number): void {
    if (tick <= this.#told || this.#followers === 0) {
      this.#untold = undefined
    } else if (this.#untold === undefined) {
      this.#untold = { tick, since: performance.now() }
    } else if (performance.now() - this.#untold.since > UNTOLD_MS) {
      this.#untold = undefined
      this.#tell([tick, null])
    }
  }

  #forget(): void {
    for (const reader of this.#readers.values()) reader.stale()
  }
}
