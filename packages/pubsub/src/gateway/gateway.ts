/**
 * What the gateways of all transports have in common: who is connected, signs of life, permissions that are asked for again, and the end.
 *
 * States: open -> draining -> closed. Invariants
 * - While draining nobody is let in, and everybody is told to come back at a time of his own.
 * - With `recheckOn` nobody is let in before the gateway listens there, so no withdrawal is missed.
 * - After `close()` has resolved nobody is connected, nothing is subscribed and no timer is left.
 */
import type { IncomingMessage } from 'node:http'
import { type Duration, Emitter, parseDuration } from '@howdah/core'
import { Admission, type Admitted, type RefusedStatus } from './admission.js'
import { ChannelFeeds } from './channel-feeds.js'
import {
  type GatewayOptions,
  type ResolvedGatewayOptions,
  resolveGatewayOptions,
} from './options.js'
import { FlushTurn } from './outgoing.js'
import type { Session, SessionShared } from './session.js'

/** Events of a gateway. */
export interface GatewayEvents {
  /** A callback of the application threw, or a stream could not be read and will be tried again. At most one a second is told. */
  readonly error: readonly [error: unknown]
}

/** What a gateway does now (the first three), and has done since it was made. */
export interface GatewayStats {
  readonly clients: number
  readonly subscriptions: number
  /** Clients whose sockets take nothing more at the moment. */
  readonly slow: number
  readonly frames: number
  readonly bytes: number
  /** Messages of channels that slow clients missed. */
  readonly dropped: number
}

/** Options of {@link Gateway.drain}. */
export interface DrainOptions {
  /** The time over which the clients are spread. @defaultValue `'10s'` */
  readonly within?: Duration | undefined
}

/** One connection, whatever its transport. */
export interface Connection<Ctx extends object> {
  readonly session: Session<Ctx>
  readonly slow: boolean
  /** Asks for a sign of life; cuts the connection if the other side gave none since the last time. */
  beat(): void
  /** Tells the client to come back after so many milliseconds. */
  leave(afterMs: number): void
  /** Says goodbye, and ends it. */
  end(): void
  /** Ends it without a word. */
  cut(): void
}

/** Each heartbeat is spread over so many turns, so that thousands of clients are not looked at in one. */
const BEATS = 10

/** What a client gets to answer a goodbye. */
const END_GRACE_MS = 1000

/** Clients whose permissions are asked for again at the same time. */
const RECHECKS_AT_ONCE = 50

/** What a client gets to go by itself, once the time that it was told has come. */
const LEAVE_GRACE_MS = 1000

const ERROR_EVERY_MS = 1000

/** The base of {@link WebSocketGateway} and {@link SseGateway}. */
export abstract class Gateway<Ctx extends object> {
  readonly #events = new Emitter<GatewayEvents>()
  readonly #admission: Admission<Ctx>
  readonly #connections: readonly Set<Connection<Ctx>>[] = Array.from(
    { length: BEATS },
    () => new Set<Connection<Ctx>>(),
  )
  #frames = 0
  #bytes = 0
  #dropped = 0
  #joined = 0
  #beat = 0
  #beats: NodeJS.Timeout | undefined
  #rechecks: Promise<{ close(): Promise<void> }> | undefined
  #state: 'open' | 'draining' | 'closed' = 'open'
  #toldErrorAt = Number.NEGATIVE_INFINITY
  #onEmpty: (() => void) | undefined

  /** @internal */
  protected readonly options: ResolvedGatewayOptions<Ctx>
  /** @internal */
  protected readonly turn: FlushTurn = new FlushTurn()
  /** @internal */
  protected readonly shared: SessionShared<Ctx>

  /** @internal */
  protected constructor(options: GatewayOptions<Ctx>, asksForToken: boolean) {
    this.options = resolveGatewayOptions(options)
    const { maxBuffered, slowClients } = this.options
    const onError = (error: unknown) => this.report(error)
    const onDropped = () => {
      this.#dropped++
    }
    const feeds = new ChannelFeeds({ maxBuffered, slowClients, onDropped, onError })
    this.shared = { options: this.options, feeds, onError, asksForToken }
    this.#admission = new Admission(this.options, onError)
  }

  /** Adds a listener and returns the function that removes it. */
  on<Name extends keyof GatewayEvents>(
    name: Name,
    listener: (...args: GatewayEvents[Name]) => void,
  ): () => void {
    return this.#events.on(name, listener)
  }

  /** Returns the numbers of this gateway. */
  stats(): GatewayStats {
    let clients = 0
    let subscriptions = 0
    let slow = 0
    for (const connection of this.#all()) {
      clients++
      subscriptions += connection.session.subscriptions
      if (connection.slow) slow++
    }
    const [frames, bytes, dropped] = [this.#frames, this.#bytes, this.#dropped]
    return { clients, subscriptions, slow, frames, bytes, dropped }
  }

  /**
   * Ends the subscriptions that `matches` chooses, in this process and without asking; their clients are told PUBSUB_FORBIDDEN. They may ask
   * again, so what decides in `authorize` has to change first.
   */
  revoke(matches: (context: Ctx, channel: string) => boolean): void {
    for (const { session } of this.#all()) session.revoke((ch) => matches(session.context, ch))
  }

  /** Asks again for the permissions of the clients that `matches` chooses, in this process, and ends what they have lost. */
  async recheck(matches: (context: Ctx) => boolean): Promise<void> {
    const chosen = [...this.#all()].filter(({ session }) => matches(session.context))
    while (chosen.length > 0) {
      const some = chosen.splice(0, RECHECKS_AT_ONCE)
      await Promise.all(some.map(({ session }) => session.recheck()))
    }
  }

  /**
   * Lets nobody in from now on, tells each client to connect again after a time of its own within `within`, and closes those that are still there
   * at its end. Resolves when all have gone.
   *
   * @throws {@link HowdahError} CORE_INVALID_DURATION
   */
  async drain({ within = '10s' }: DrainOptions = {}): Promise<void> {
    const withinMs = parseDuration(within, 'within', { max: 3_600_000 })
    if (this.#state === 'open') this.#state = 'draining'
    for (const connection of this.#all()) connection.leave(Math.random() * withinMs)
    await this.#empty(withinMs + LEAVE_GRACE_MS)
    await this.close()
  }

  /** Ends all connections and lets go of channels and streams. */
  async close(): Promise<void> {
    this.#state = 'closed'
    clearInterval(this.#beats)
    for (const connection of this.#all()) connection.end()
    const rechecks = await this.#rechecks?.catch(() => undefined)
    await rechecks?.close()
    await this.#empty(END_GRACE_MS)
    for (const connection of this.#all()) connection.cut()
    await this.#empty(END_GRACE_MS)
  }

  /** Closes at the end of an `await using` block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** @internal */
  protected async admit(request: IncomingMessage): Promise<Admitted<Ctx> | RefusedStatus> {
    if (this.#state !== 'open') return 503
    try {
      await this.#listenForRechecks()
    } catch (error) {
      this.report(error)
      return 503
    }
    const admitted = await this.#admission.admit(request)
    if (this.#state === 'open' || typeof admitted === 'number') return admitted
    admitted.release()
    return 503
  }

  /** Takes a connection in and returns the function that takes it out. @internal */
  protected join(connection: Connection<Ctx>, admitted: Admitted<Ctx>): () => void {
    const set = this.#connections[this.#joined++ % BEATS] as Set<Connection<Ctx>>
    set.add(connection)
    this.#beats ??= setInterval(() => this.#nextBeat(), this.options.heartbeat / BEATS).unref()
    return () => {
      if (!set.delete(connection)) return
      admitted.release()
      connection.session.close()
      if (this.#connections.every(({ size }) => size === 0)) this.#onEmpty?.()
    }
  }

  /** @internal */
  protected countFrame(): void {
    this.#frames++
  }

  /** @internal */
  protected countBytes(bytes: number): void {
    this.#bytes += bytes
  }

  /** @internal */
  protected report(error: unknown): void {
    const now = performance.now()
    if (now - this.#toldErrorAt < ERROR_EVERY_MS) return
    this.#toldErrorAt = now
    this.#events.emit('error', error)
  }

  *#all(): Generator<Connection<Ctx>> {
    for (const set of this.#connections) yield* set
  }

  #nextBeat(): void {
    for (const connection of this.#connections[this.#beat++ % BEATS] ?? []) {
      connection.beat()
      connection.session.tellProgress()
    }
  }

  async #empty(timeoutMs: number): Promise<void> {
    if (this.#connections.every(({ size }) => size === 0)) return
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, timeoutMs)
      this.#onEmpty = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  async #listenForRechecks(): Promise<void> {
    const { recheckOn } = this.options
    if (recheckOn === undefined) return
    const recheck = (matches: (context: Ctx) => boolean) =>
      void this.recheck(matches).catch((error) => this.report(error))
    this.#rechecks ??= recheckOn.channel.subscribe(
      (message) => recheck((context) => recheckOn.matches(context, message)),
      { onGap: () => recheck(() => true) },
    )
    try {
      await this.#rechecks
    } catch (error) {
      this.#rechecks = undefined
      throw error
    }
  }
}
