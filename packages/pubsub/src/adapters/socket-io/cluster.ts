/**
 * One process among the Socket.IO servers: its adapters, one for each namespace, on one channel.
 *
 * States: opening (the channel is not yet heard) -> joining (the others were asked who they are) -> joined -> closed.
 *
 * Invariants
 * - What an adapter sends reaches the others in the order of its calls, for there is one channel for everything.
 * - `joined` resolves in bounded time, also while the database cannot be reached: whoever waits then counts the servers that are known.
 * - After close() no timer runs and nothing is sent.
 */
import { randomBytes } from 'node:crypto'
import type { ClusterMessage, ClusterResponse } from 'socket.io-adapter'
import type { PubSub } from '../../pub-sub.js'
import { BroadcastLog, type LogStream, MAX_LOGGED_LENGTH } from './broadcast-log.js'
import { decodeValue, encodeValue } from './codec.js'
import type { Frame } from './frame.js'
import { FrameChannel } from './frame-channel.js'
import { Members } from './members.js'
import type { ResolvedAdapterOptions } from './options.js'
import { pause } from './pause.js'
import { Sessions } from './sessions.js'

/** What the cluster needs of an adapter. */
export interface ClusteredAdapter {
  /** Tells the adapters of all servers apart. */
  readonly id: string
  readonly namespace: string
  receive(message: ClusterMessage | ClusterResponse): void
  /** Takes a frame of the log, also one of its own. */
  receiveLogged(frame: Frame, position: string): void
  memberUp(id: string): void
  memberDown(id: string): void
}

/** How long the servers may take to answer a new one. */
const ANSWERS_MS = 250
/** How long a request waits for a server that is still joining. */
const JOIN_MS = 2000
/** How long close() waits for what is being sent. */
const FAREWELL_MS = 500
/** How long it waits for sessions and broadcasts that clients are to find on other servers. */
const SAVE_MS = 5000
/** Broadcasts are kept for longer than sessions, so that a client that comes back in time finds the ones it missed. */
const KEPT_LONGER_MS = 60_000

/** What lets clients recover their state on any server. */
export interface Recovery {
  readonly log: BroadcastLog
  readonly sessions: Sessions
}

/** The adapters of this process and what they know of the others. */
export class Cluster {
  readonly #options: ResolvedAdapterOptions
  readonly #adapters = new Map<string, Set<ClusteredAdapter>>()
  readonly #channel: FrameChannel
  readonly #members: Members
  readonly #pubsub: PubSub
  /** Whether the PubSub is ours to close. */
  readonly #owned: boolean
  #recovery: Recovery | undefined
  #open = false
  #closing: Promise<void> | undefined
  /** Resolves when the servers that are there are known. */
  readonly joined: Promise<void>

  constructor(options: ResolvedAdapterOptions) {
    this.#options = options
    const { pubsub, owned } = options.connect()
    this.#pubsub = pubsub
    this.#owned = owned
    const channel = pubsub.channel<Uint8Array>(options.name)
    // 12 bytes are 16 characters.
    this.#channel = new FrameChannel(channel, randomBytes(12).toString('base64url'), {
      onFrame: (frame) => this.#receive(frame),
      onGap: () => this.#members.gap(),
      onError: options.onError,
    })
    this.#members = new Members(this.#channel.server, {
      heartbeatInterval: options.heartbeatInterval,
      heartbeatTimeout: options.heartbeatTimeout,
      roster: () => this.#all().map(({ id, namespace }) => [id, namespace] as const),
      send: (kind, body) => this.#channel.send({ kind, ...(body && { body }) }).catch(this.report),
      onUp: (namespace, id) => {
        for (const adapter of this.#of(namespace)) adapter.memberUp(id)
      },
      onDown: (namespace, id) => {
        for (const adapter of this.#of(namespace)) adapter.memberDown(id)
      },
    })
    this.joined = Promise.race([this.#join().catch(this.report), pause(JOIN_MS)])
  }

  readonly report = (error: unknown): void => {
    // What is sent last on closing may find the PubSub closed.
    if (this.#closing === undefined) this.#options.onError(error)
  }

  /** Takes part for an adapter. */
  add(adapter: ClusteredAdapter): void {
    const { id, namespace } = adapter
    this.#adapters.set(namespace, this.#of(namespace).add(adapter))
    for (const member of this.#members.adapters(namespace)) adapter.memberUp(member)
    if (this.#open) this.#tell('open', id, namespace)
  }

  /** Leaves for an adapter; answers whether it was the last. */
  remove(adapter: ClusteredAdapter): boolean {
    const { id, namespace } = adapter
    const adapters = this.#of(namespace)
    adapters.delete(adapter)
    if (adapters.size === 0) this.#adapters.delete(namespace)
    for (const member of this.#members.adapters(namespace)) adapter.memberDown(member)
    if (this.#adapters.size === 0) return true
    if (this.#open) this.#tell('close', id, namespace)
    return false
  }

  /** Sends to the adapters of the namespace on all other servers, or to one of them. The message is read before it returns. */
  send(message: ClusterMessage | ClusterResponse, to?: string): Promise<void> {
    const { uid: from, nsp: namespace } = message
    return this.#channel.send({ kind: 'message', namespace, from, to, body: encodeValue(message) })
  }

  /** Begins to keep broadcasts and sessions for as long as clients may be away. */
  recovery(maxAge: number): Recovery {
    if (this.#recovery !== undefined) return this.#recovery
    const { name, heartbeatInterval } = this.#options
    const stream: LogStream = this.#pubsub.stream(name, {
      retention: { maxAge: maxAge + KEPT_LONGER_MS },
      maxPayloadBytes: MAX_LOGGED_LENGTH,
    })
    const { server } = this.#channel
    const log = new BroadcastLog(stream, server, {
      onLogged: ({ frame, position }) => {
        for (const adapter of this.#of(frame.namespace ?? ''))
          adapter.receiveLogged(frame, position)
      },
      onError: this.report,
    })
    const sessions = new Sessions(this.#pubsub.database, {
      server,
      maxAge,
      interval: heartbeatInterval,
      onError: this.report,
    })
    this.#recovery = { log, sessions }
    return this.#recovery
  }

  /** Finds out who is gone, before a request has to wait for them. */
  probe(): void {
    this.#members.probe()
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #join(): Promise<void> {
    await this.#channel.subscribe()
    if (this.#closing !== undefined) return
    this.#open = true
    await this.#members.start()
    await pause(ANSWERS_MS)
  }

  async #close(): Promise<void> {
    const { log, sessions } = this.#recovery ?? {}
    await Promise.all([
      log?.close(SAVE_MS),
      Promise.race([sessions?.close().catch(this.report), pause(SAVE_MS)]),
    ])
    this.#members.stop()
    const farewell = this.#open ? this.#channel.send({ kind: 'bye' }) : Promise.resolve()
    this.#open = false
    const closed = farewell
      .catch(() => {})
      .then(() => (this.#owned ? this.#pubsub : this.#channel).close())
    await Promise.race([closed.catch(() => {}), pause(FAREWELL_MS)])
  }

  #receive(frame: Frame): void {
    if (!this.#open) return
    this.#members.hear(frame)
    if (frame.kind !== 'message' || frame.namespace === undefined) return
    for (const adapter of this.#of(frame.namespace)) {
      const meant = frame.to === undefined || frame.to === adapter.id
      // Decoded for each, for Socket.IO writes into what it receives.
      if (meant && frame.from !== adapter.id) {
        adapter.receive(decodeValue(frame.body) as ClusterMessage | ClusterResponse)
      }
    }
  }

  #tell(kind: 'open' | 'close', from: string, namespace: string): void {
    this.#channel.send({ kind, from, namespace }).catch(this.report)
  }

  #of(namespace: string): Set<ClusteredAdapter> {
    return this.#adapters.get(namespace) ?? new Set()
  }

  #all(): ClusteredAdapter[] {
    return [...this.#adapters.values()].flatMap((adapters) => [...adapters])
  }
}
