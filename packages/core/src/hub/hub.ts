/**
 * The one place where a process hears of other processes.
 *
 * States
 * - idle: nothing is registered, and nothing is open.
 * - connecting: something is registered, and no transport carries messages.
 * - listening: notifications come over a connection of our own.
 * - polling: they are read from a table, for want of such a connection.
 * - closed: for good.
 *
 * idle -> connecting on the first register(); connecting -> listening | polling; listening -> connecting when the connection is
 * lost; polling -> listening when listening has become possible; any -> idle when the last handler goes; any -> closed.
 *
 * Invariants
 * - A message sent after register() resolved is delivered, or followed by onGap(), in whatever way the transport fails.
 * - Messages that one process sends without a client arrive in the order of the calls. The process receives its own messages too,
 *   through the server like everyone else, so that it sees them in the same order as those of others.
 * - `identity` names this hub to other processes for as long as it can be known to live, and is never used again after that. What tryHold()
 *   got lasts as long as the identity. Both cost the server no write while the hub listens.
 * - Nothing keeps the process alive but a register() under way, a handler that asks for it, and the 3 ms between doorbells.
 * - close() ends in bounded time whatever the network does, and leaves no timer and no socket.
 */
import type { TransactionHandle } from '../clients/resolve.js'
import type { Database } from '../database.js'
import type { Driver } from '../drivers/driver.js'
import { HowdahError } from '../errors.js'
import { Emitter } from '../events.js'
import type { MetricReader, MetricSource } from '../metrics/metric-source.js'
import { channelOf } from './channel.js'
import { Doorbell } from './doorbell.js'
import { hubMetrics } from './hub-metrics.js'
import { Link } from './link.js'
import {
  type Address,
  addressOf,
  assertKind,
  encodeMessage,
  type Messages,
  messageOf,
} from './message.js'
import { Outbox } from './outbox.js'
import { type HubHandler, Registration } from './registration.js'
import { Sender } from './sender.js'
import { within } from './wait.js'

/** Where a {@link Hub} stands. */
export type HubState = 'idle' | 'connecting' | 'listening' | 'polling' | 'closed'

/** Events of a {@link Hub}. */
export interface HubEvents {
  /** The state changed. */
  readonly state: readonly [state: HubState]
  /**
   * The hub is called otherwise now, or has no name at all. Everything it held is lost. Comes before `onGap` of the handlers.
   */
  readonly identity: readonly [identity: string | undefined]
  /** Messages may have been lost; handlers are about to catch up. */
  readonly gap: readonly []
  /** Something failed in the background. The hub goes on by itself. */
  readonly error: readonly [error: unknown]
}

/** What a {@link Hub} tells about itself. */
export interface HubStats {
  readonly state: HubState
  /** Why messages are polled for; `undefined` while they are not. */
  readonly pollingBecause: string | undefined
  /** Handlers that are registered. */
  readonly handlers: number
  /** How often the transport was replaced by another. */
  readonly reconnects: number
  /** How often messages may have been lost. */
  readonly gaps: number
  /** Messages received. */
  readonly received: number
  /** Statements that sent messages; each carries one or many. */
  readonly sends: number
  /** When the server last answered the transport, in milliseconds since the epoch by this process's clock. */
  readonly lastAliveAt: number | undefined
  /** What last failed in the background. */
  readonly lastError: unknown
}

/**
 * Answer of {@link Hub.tryHold}: this hub holds the name; another does; or this one can hold nothing now, since it is not connected, or
 * polls.
 */
export type HoldResult = 'held' | 'taken' | 'unavailable'

/** Options of {@link Hub.send}. */
export interface SendOptions {
  /** The transaction the message goes out with, if and when it commits. */
  readonly client?: TransactionHandle | undefined
}

/** How long close() waits for messages that are being sent. */
const FAREWELL_MS = 500
/** Longest time a timer of Node.js runs. */
const FOREVER_MS = 2_147_483_647

/**
 * Carries messages between the processes on one database and schema, over a single `LISTEN` connection per process, or by
 * polling where none is to be had. Delivery is at most once: what a process misses while it is cut off, it is told of
 * by `onGap`.
 *
 * @example
 * ```ts
 * import { Database } from '@howdah/core'
 * import { Pool } from 'pg'
 *
 * const db = Database.from(new Pool())
 * const unregister = await db.hub.register('prices', {
 *   onMessage(name, payload) {},
 *   onGap() {},
 * })
 * await db.hub.send('prices', 'changed', { product: 7 })
 * await unregister()
 * await db.close()
 * ```
 */
export class Hub implements MetricSource {
  readonly #db: Database
  readonly #link: Link
  readonly #sender: Sender
  readonly #outbox: Outbox
  readonly #doorbell: Doorbell
  readonly #events = new Emitter<HubEvents>()
  readonly #registrations = new Map<string, Set<Registration>>()
  #state: HubState = 'idle'
  #identity: string | undefined
  #pollingBecause: string | undefined
  #keepAlive: NodeJS.Timeout | undefined
  #closing: Promise<void> | undefined
  #ups = 0
  #gaps = 0
  #received = 0
  #lastError: unknown

  /** @internal Made by {@link Database} only. */
  constructor(db: Database, driver: Driver) {
    this.#db = db
    const channel = channelOf(db.options.schema)
    const sender = new Sender(db, channel)
    this.#sender = sender
    this.#outbox = new Outbox((messages) => sender.send(messages))
    this.#doorbell = new Doorbell(
      (messages) => sender.send(messages),
      (error) => this.#report(error),
    )
    this.#link = new Link(db, driver, channel, sender.hubId, {
      onState: (state, reason) => this.#become(state, reason),
      onMessages: (messages) => this.#dispatch(messages),
      onUp: () => this.#up(),
      onDown: () => this.#down(),
      onGap: () => {
        this.#identify()
        this.#down()
        this.#gap()
      },
      onIdentity: () => this.#identify(),
      onError: (error) => this.#report(error),
    })
  }

  /** Where the hub stands. */
  get state(): HubState {
    return this.#state
  }

  /**
   * Names this hub among all that `hub_alive()` in the schema lists. It is another after each lost connection, and `undefined` while
   * there is none, or while nothing is registered. Rows can hang off it: they belong to nobody once it is not listed.
   */
  get identity(): string | undefined {
    return this.#identity
  }

  /** Calls back on each such event and returns the function that ends that. */
  on<Name extends keyof HubEvents & string>(
    name: Name,
    listener: (...args: HubEvents[Name]) => void,
  ): () => void {
    return this.#events.on(name, listener)
  }

  /**
   * Hands every message of a kind to a handler. Resolves once messages are received: what anyone sends after that is delivered, or
   * followed by `onGap`. While the database cannot be reached it goes on trying.
   *
   * @returns the function that ends it; once nothing is registered the connection is closed
   * @throws {@link HowdahError} CORE_INVALID_NAME when the kind is empty
   * @throws {@link HowdahError} CORE_CLOSED when the hub is closed, also when that happens meanwhile
   */
  async register(kind: string, handler: HubHandler): Promise<() => Promise<void>> {
    assertKind(kind)
    this.#assertOpen()
    const registration = new Registration(handler, (error) => this.#report(error))
    const registered = this.#registrations.get(kind)
    if (registered === undefined) this.#registrations.set(kind, new Set([registration]))
    else registered.add(registration)
    if (this.#link.up) registration.connect()
    this.#link.start()
    this.#holdProcess()
    await registration.ready
    this.#holdProcess()
    return () => this.#unregister(kind, registration)
  }

  /**
   * Sends a message to every process that has registered the kind, this one included. Without a client it resolves once the
   * message is committed, and calls made at the same time share one statement; with one, the message goes out when
   * that transaction commits.
   *
   * A transaction that writes should rather ring or send after its commit: PostgreSQL makes transactions that notify
   * commit one after another, each with its flush to disk.
   *
   * @param payload - anything with a JSON form, up to a mebibyte of it; `undefined` for none
   * @throws {@link HowdahError} CORE_PAYLOAD_TOO_LARGE, CORE_INVALID_NAME, CORE_INVALID_OPTION for messages that cannot be sent
   * @throws {@link HowdahError} CORE_OVERLOADED when too many messages wait already
   * @throws {@link HowdahError} CORE_CLOSED when the hub is closed
   * @throws {@link HowdahError} CORE_MIGRATION_REQUIRED when the tables of the package `core` are missing
   */
  async send(
    kind: string,
    name: string,
    payload?: unknown,
    { client }: SendOptions = {},
  ): Promise<void> {
    this.#assertOpen()
    const message = encodeMessage(kind, name, payload)
    if (client === undefined) await this.#outbox.add(message)
    else await this.#sender.send([message], client)
  }

  /**
   * Makes kind and name ready for many messages by {@link Hub.sendJson}.
   *
   * @throws {@link HowdahError} CORE_INVALID_NAME when kind or name is no string, or the kind is empty
   */
  address(kind: string, name: string): Address {
    return addressOf(kind, name)
  }

  /**
   * Does what {@link Hub.send} does for a payload that is JSON text already, in less time. What is no JSON makes a message that no process
   * can read, and those that share its statement with it.
   */
  sendJson(to: Address, json: string, client?: TransactionHandle): Promise<void> {
    this.#assertOpen()
    const message = messageOf(to, json)
    return client === undefined ? this.#outbox.add(message) : this.#sender.send([message], client)
  }

  /**
   * Sends a message without payload soon: the first at once, then at most one statement every 3 ms with all names rung
   * meanwhile, each once. Never throws; what fails is reported as an `error` event, and the bell is lost.
   */
  ring(kind: string, name: string): void {
    if (this.#closing !== undefined) return
    try {
      this.#doorbell.ring(encodeMessage(kind, name, undefined))
    } catch (error) {
      this.#report(error)
    }
  }

  /**
   * Makes this hub the one that holds a name, unless another of the same database and schema does. What is held is lost when the event
   * `identity` comes, and may be another's up to 30 seconds before that: it saves work that two would do for nothing, and is no
   * fence. Something must be registered meanwhile. Asking for what is held costs nothing.
   */
  async tryHold(name: string): Promise<HoldResult> {
    const locks = this.#link.locks
    if (locks === undefined) return 'unavailable'
    try {
      const held = await locks.tryHold(name)
      if (this.#link.locks !== locks) return 'unavailable'
      return held ? 'held' : 'taken'
    } catch (error) {
      this.#report(error)
      return 'unavailable'
    }
  }

  /** Gives a name back. Does nothing where it is not held. */
  async letGo(name: string): Promise<void> {
    await this.#link.locks?.letGo(name).catch((error) => this.#report(error))
  }

  /** Tells how the hub is doing. */
  stats(): HubStats {
    return {
      state: this.#state,
      pollingBecause: this.#pollingBecause,
      handlers: this.#all().length,
      reconnects: Math.max(0, this.#ups - 1),
      gaps: this.#gaps,
      received: this.#received,
      sends: this.#sender.sends,
      lastAliveAt: this.#link.lastAliveAt,
      lastError: this.#lastError,
    }
  }

  /** What `metrics()` of `@howdah/core/metrics` reads. */
  get metricReader(): MetricReader {
    const { schema } = this.#db.options
    return {
      package: 'core',
      name: `hub ${schema}`,
      read: async () => hubMetrics(this.stats(), schema),
    }
  }

  /** Sends what waits, for half a second at most, then frees everything. Handlers are called no more. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    const closed = new HowdahError('CORE_CLOSED', 'The database was closed.')
    const registrations = this.#all()
    this.#registrations.clear()
    for (const registration of registrations) registration.end(closed)
    this.#holdProcess()
    const stopped = this.#link.stop()
    this.#become('closed')
    const sent = Promise.all([this.#outbox.drained(), this.#doorbell.drained()])
    await within(sent, FAREWELL_MS, 'The pool is busy.').catch(() => {})
    this.#outbox.abandon(closed)
    this.#doorbell.abandon()
    await stopped
  }

  async #unregister(kind: string, registration: Registration): Promise<void> {
    registration.end(undefined)
    const registered = this.#registrations.get(kind)
    registered?.delete(registration)
    if (registered?.size === 0) this.#registrations.delete(kind)
    this.#holdProcess()
    if (this.#registrations.size === 0) await this.#link.stop()
  }

  #dispatch(messages: Messages): void {
    this.#received += messages.payloads.length
    for (const registration of [...(this.#registrations.get(messages.kind) ?? [])]) {
      registration.deliver(messages)
    }
  }

  #up(): void {
    this.#ups++
    this.#gap()
  }

  /** Lets handlers go on: at once where they begin, after catching up where they were before. */
  #gap(): void {
    const registrations = this.#all()
    if (registrations.some((registration) => !registration.waiting)) {
      this.#gaps++
      this.#events.emit('gap')
    }
    for (const registration of registrations) registration.connect()
  }

  #down(): void {
    for (const registration of this.#all()) registration.pause()
  }

  #identify(): void {
    const { identity } = this.#link
    if (this.#identity === identity) return
    this.#identity = identity
    this.#events.emit('identity', identity)
  }

  #become(state: HubState, reason?: string): void {
    if (this.#state === state || this.#state === 'closed') return
    this.#state = state
    this.#pollingBecause = state === 'polling' ? reason : undefined
    this.#events.emit('state', state)
  }

  #report(error: unknown): void {
    this.#lastError = error
    this.#events.emit('error', error)
  }

  #all(): Registration[] {
    return [...this.#registrations.values()].flatMap((registered) => [...registered])
  }

  /** Sockets and timers of the hub are all unreferenced; this one timer stands for them where the process is to stay. */
  #holdProcess(): void {
    const wanted = this.#all().some((registration) => registration.keepAlive)
    if (wanted) {
      this.#keepAlive ??= setInterval(() => {}, FOREVER_MS)
    } else {
      clearInterval(this.#keepAlive)
      this.#keepAlive = undefined
    }
  }

  #assertOpen(): void {
    if (this.#closing === undefined) return
    throw new HowdahError(
      'CORE_CLOSED',
      'The database was closed. Make another with Database.from().',
    )
  }
}
