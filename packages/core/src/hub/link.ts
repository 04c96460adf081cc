/**
 * Keeps one transport going while the hub needs one.
 *
 * States: stopped -> opening -> carrying -> (lost) opening ...; any -> stopped. Invariants
 * - At most one transport is let through to the hub; another that is being tried out meanwhile stays shut.
 * - Attempts never end by themselves: they are spread by full jitter, so that many processes do not come back together.
 * - `onDown` comes before the first message of a later transport, `onUp` once that transport misses nothing more.
 * - stop() ends in bounded time; after it nothing runs and nothing is called.
 */
import { Backoff } from '../backoff.js'
import type { Database } from '../database.js'
import type { Driver } from '../drivers/driver.js'
import { Inbox } from './inbox.js'
import { openListening } from './listening.js'
import type { Locks } from './locks.js'
import type { Messages } from './message.js'
import { openPolling } from './polling.js'
import { PoolQueries } from './pool-queries.js'
import type { Transport, TransportContext } from './transport.js'
import { aborted, sleep } from './wait.js'

/** What a {@link Link} tells the hub. */
export interface LinkEvents {
  onState(state: 'idle' | 'connecting' | 'listening' | 'polling', reason?: string): void
  onMessages(messages: Messages): void
  onUp(): void
  onDown(): void
  onGap(): void
  /** The identity may be another one now. Comes before `onUp`. */
  onIdentity(): void
  onError(error: unknown): void
}

/** A transport, and whether what it brings is let through. */
interface Carrier {
  readonly transport: Transport
  readonly gate: Gate
  /** Why it is not one that listens. */
  readonly reason?: string | undefined
  /**
   * When to try again to listen: like after a lost connection where none could be made, now and then where it would not hear,
   * never where there is no way to make one.
   */
  readonly again?: 'soon' | 'later' | 'never' | undefined
}

interface Gate {
  open: boolean
}

/** A connection that lasted this long lets the next attempts start from the shortest wait again. */
const STABLE_MS = 10_000
/** After this many failed attempts in a row to listen, the hub polls if the pool at least works. */
const PATIENCE = 5

/** Opens, watches and replaces the transport. */
export class Link {
  readonly #db: Database
  readonly #driver: Driver
  readonly #channel: string
  readonly #hubId: string
  readonly #events: LinkEvents
  readonly #pool: PoolQueries
  #carrier: Carrier | undefined
  #stop: AbortController | undefined
  #running: Promise<void> = Promise.resolve()
  #aliveAt: number | undefined
  /** Last identity that stands for a listening connection. */
  #before: string | undefined

  constructor(db: Database, driver: Driver, channel: string, hubId: string, events: LinkEvents) {
    this.#db = db
    this.#driver = driver
    this.#channel = channel
    this.#hubId = hubId
    this.#events = events
    this.#pool = new PoolQueries(db)
  }

  /** Whether messages are coming in. */
  get up(): boolean {
    return this.#carrier !== undefined
  }

  /** When the server last answered. */
  get lastAliveAt(): number | undefined {
    return this.#carrier?.transport.lastAliveAt ?? this.#aliveAt
  }

  /** Names this hub to others; `undefined` while it cannot be known to live. */
  get identity(): string | undefined {
    return this.#carrier?.transport.identity
  }

  /** What can be locked now. */
  get locks(): Locks | undefined {
    return this.#carrier?.transport.locks
  }

  start(): void {
    if (this.#stop !== undefined) return
    const stop = new AbortController()
    const before = this.#running
    this.#stop = stop
    this.#running = before.then(() => this.#run(stop.signal))
  }

  async stop(): Promise<void> {
    this.#stop?.abort(new Error('The hub is no longer needed.'))
    this.#stop = undefined
    this.#drop()
    await this.#running
  }

  async #run(signal: AbortSignal): Promise<void> {
    const max = this.#db.options.hub.reconnectMax
    const backoff = new Backoff({ initial: Math.min(100, max), max })
    let next: Carrier | undefined
    while (!signal.aborted) {
      const carrier = next ?? (await this.#open(backoff, signal))
      if (carrier === undefined) break
      const since = performance.now()
      if (!signal.aborted) this.#carry(carrier)
      next = await this.#succeeded(carrier, backoff, signal)
      this.#drop()
      await carrier.transport.close()
      if (performance.now() - since > STABLE_MS) backoff.reset()
      if (next === undefined) await sleep(backoff.next(), signal)
    }
    await next?.transport.close()
    if (this.#stop === undefined) this.#events.onState('idle')
  }

  #carry(carrier: Carrier): void {
    this.#carrier = carrier
    carrier.gate.open = true
    this.#events.onState(carrier.transport.kind, carrier.reason)
    this.#identify(carrier)
    this.#events.onUp()
  }

  #drop(): void {
    const carrier = this.#carrier
    if (carrier === undefined) return
    this.#aliveAt = carrier.transport.lastAliveAt
    carrier.gate.open = false
    this.#carrier = undefined
    this.#events.onIdentity()
    this.#events.onDown()
  }

  #identify({ transport }: Carrier): void {
    if (transport.kind === 'listening') this.#before = transport.identity ?? this.#before
    this.#events.onIdentity()
  }

  /** Opens a transport, however often it takes; `undefined` when aborted. */
  async #open(backoff: Backoff, signal: AbortSignal): Promise<Carrier | undefined> {
    this.#events.onState('connecting')
    for (let failures = 1; !signal.aborted; failures++) {
      try {
        return await this.#listenOrPoll(signal)
      } catch (error) {
        if (signal.aborted) break
        this.#events.onError(error)
      }
      if (failures >= PATIENCE) {
        const reason = 'no LISTEN connection can be made'
        const polling = await this.#poll(signal, reason, 'soon').catch(() => {})
        if (polling !== undefined) return polling
      }
      await sleep(backoff.next(), signal)
    }
    return undefined
  }

  async #listenOrPoll(signal: AbortSignal): Promise<Carrier> {
    const gate = { open: true }
    const opened = await openListening(this.#context(signal, gate))
    if (opened.kind !== 'unfit') return { transport: opened, gate }
    gate.open = false
    if (opened.error !== undefined) this.#events.onError(opened.error)
    return this.#poll(signal, opened.reason, opened.forGood === true ? 'never' : 'later')
  }

  async #poll(signal: AbortSignal, reason: string, again: Carrier['again']): Promise<Carrier> {
    const gate = { open: true }
    const transport = await openPolling(this.#context(signal, gate))
    return { transport, gate, reason, again }
  }

  /** Waits until the transport has ended, or until a polling one can be replaced, which is answered. */
  async #succeeded(
    carrier: Carrier,
    backoff: Backoff,
    signal: AbortSignal,
  ): Promise<Carrier | undefined> {
    if (carrier.transport.kind === 'listening') {
      const reason = await carrier.transport.ended
      if (!signal.aborted) this.#events.onError(reason)
      return undefined
    }
    if (carrier.again === 'never') await aborted(signal)
    while (!signal.aborted) {
      const later = this.#db.options.hub.listenAgain * (0.8 + 0.4 * Math.random())
      await sleep(carrier.again === 'soon' ? backoff.next() : later, signal)
      const listening = await this.#tryListening(signal)
      if (listening !== undefined) return listening
    }
    return undefined
  }

  /** What it fails with was reported when the hub began to poll. */
  async #tryListening(signal: AbortSignal): Promise<Carrier | undefined> {
    if (signal.aborted) return undefined
    const gate = { open: false }
    const opened = await openListening(this.#context(signal, gate)).catch(() => undefined)
    if (opened === undefined || opened.kind === 'unfit') return undefined
    return { transport: opened, gate }
  }

  #context(signal: AbortSignal, gate: Gate): TransportContext {
    const inbox = new Inbox()
    return {
      db: this.#db,
      driver: this.#driver,
      pool: this.#pool,
      channel: this.#channel,
      hubId: this.#hubId,
      before: this.#before,
      signal,
      onNotification: (notification) => {
        if (gate.open && !signal.aborted) this.#receive(inbox, notification)
      },
      onGap: () => {
        if (gate.open && !signal.aborted) this.#events.onGap()
      },
      onIdentity: () => {
        if (this.#carrier?.gate === gate) this.#identify(this.#carrier)
      },
      onError: (error) => {
        if (!signal.aborted) this.#events.onError(error)
      },
    }
  }

  #receive(inbox: Inbox, notification: string): void {
    try {
      for (const messages of inbox.accept(notification)) this.#events.onMessages(messages)
    } catch (error) {
      this.#events.onError(error)
    }
  }
}
