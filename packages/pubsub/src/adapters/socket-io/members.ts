/**
 * Which other servers there are, and which adapters they have.
 *
 * States of a server: unknown -> known (its roster came) -> unknown (it said bye, fell silent, or left a probe unanswered).
 *
 * Invariants
 * - Silence is measured against our own frames, which come back to us by the same way: while we are cut off ourselves, or busy, nobody is
 *   judged; and after a gap everyone has the full time again.
 * - A frame of a server that is not known makes us ask for rosters, so one that was judged too early comes back with its next frame.
 * - Adapters are told up once and down once, in this order.
 */
import {
  decodeRoster,
  EMITTER,
  encodeRoster,
  type Frame,
  type FrameKind,
  type Roster,
} from './frame.js'

/** How long a server may take to answer a probe. Socket.IO's own requests time out after 5 seconds. */
const PROBE_MS = 2000
const TICK_MS = 1000

interface Peer {
  heardAt: number
  /** Namespaces by the id of their adapter. */
  readonly adapters: Map<string, string>
}

/** What {@link Members} needs to know and tells. */
export interface MembersOptions {
  readonly heartbeatInterval: number
  readonly heartbeatTimeout: number
  /** Our own adapters. */
  roster(): Roster
  /** Sends a frame; never fails. */
  send(kind: FrameKind, body?: Buffer): Promise<void>
  onUp(namespace: string, uid: string): void
  onDown(namespace: string, uid: string): void
}

/** The other servers, as far as this one knows. */
export class Members {
  readonly #server: string
  readonly #options: MembersOptions
  readonly #peers = new Map<string, Peer>()
  #timer: NodeJS.Timeout | undefined
  #aliveAt = 0
  #askedAt = Number.NEGATIVE_INFINITY
  /** When a frame of our own last came back. */
  #echoAt = Number.NEGATIVE_INFINITY
  #probe: { readonly at: number; judge: NodeJS.Timeout | undefined } | undefined

  constructor(server: string, options: MembersOptions) {
    this.#server = server
    this.#options = options
  }

  /** Introduces us to the others, who are about to answer when it resolves. */
  async start(): Promise<void> {
    this.#aliveAt = performance.now()
    this.#timer = setInterval(() => this.#tick(), TICK_MS)
    this.#timer.unref()
    await this.#sendRoster('hello')
  }

  /** Ends the timers and counts everyone as gone. */
  stop(): void {
    clearInterval(this.#timer)
    clearTimeout(this.#probe?.judge)
    this.#probe = undefined
    for (const server of [...this.#peers.keys()]) this.#remove(server)
  }

  /** The ids of the adapters that other servers have for a namespace. */
  *adapters(namespace: string): Generator<string> {
    for (const { adapters } of this.#peers.values()) {
      for (const [uid, of] of adapters) if (of === namespace) yield uid
    }
  }

  /** Messages may have been lost, in both directions. */
  gap(): void {
    const now = performance.now()
    clearTimeout(this.#probe?.judge)
    this.#probe = undefined
    this.#echoAt = Number.NEGATIVE_INFINITY
    for (const peer of this.#peers.values()) peer.heardAt = now
    void this.#sendRoster('hello')
  }

  /** Asks everyone whether they are there, and counts those as gone who do not answer in time. */
  probe(): void {
    if (this.#peers.size === 0) return
    const at = performance.now()
    // One whose frame never came back must not be in the way of others for ever.
    if (this.#probe !== undefined && at - this.#probe.at < this.#options.heartbeatTimeout) return
    clearTimeout(this.#probe?.judge)
    this.#probe = { at, judge: undefined }
    void this.#options.send('probe')
  }

  /** Hears a frame of whatever kind, of others or of our own. */
  hear(frame: Frame): void {
    const now = performance.now()
    if (frame.from === EMITTER) return
    if (frame.server === this.#server) this.#hearEcho(frame, now)
    else if (frame.kind === 'bye') this.#remove(frame.server)
    else if (frame.kind === 'hello' || frame.kind === 'here') this.#enrol(frame, now)
    else this.#hearPeer(frame, now)
  }

  #hearPeer({ server, kind, namespace, from }: Frame, now: number): void {
    const peer = this.#peers.get(server)
    if (peer === undefined) {
      this.#ask(now)
      return
    }
    peer.heardAt = now
    if (kind === 'probe') void this.#options.send('alive')
    if (namespace === undefined || from === undefined) return
    if (kind === 'open') this.#add(peer, from, namespace)
    if (kind === 'close') this.#drop(peer, from)
  }

  #hearEcho(frame: Frame, now: number): void {
    this.#echoAt = now
    if (frame.kind !== 'probe' || this.#probe === undefined) return
    const { at } = this.#probe
    this.#probe.judge ??= setTimeout(() => {
      this.#probe = undefined
      for (const [server, { heardAt }] of this.#peers) if (heardAt < at) this.#remove(server)
    }, PROBE_MS)
    this.#probe.judge.unref()
  }

  #tick(): void {
    const now = performance.now()
    if (now - this.#aliveAt >= this.#options.heartbeatInterval) {
      this.#aliveAt = now
      void this.#options.send('alive')
    }
    for (const [server, { heardAt }] of this.#peers) {
      if (this.#echoAt - heardAt > this.#options.heartbeatTimeout) this.#remove(server)
    }
  }

  #ask(now: number): void {
    if (now - this.#askedAt < TICK_MS) return
    this.#askedAt = now
    void this.#sendRoster('hello')
  }

  #sendRoster(kind: 'hello' | 'here'): Promise<void> {
    return this.#options.send(kind, encodeRoster(this.#options.roster()))
  }

  #enrol({ server, kind, body }: Frame, now: number): void {
    const peer = this.#peers.get(server) ?? { heardAt: now, adapters: new Map() }
    this.#peers.set(server, peer)
    peer.heardAt = now
    const roster = new Map(decodeRoster(body))
    for (const uid of [...peer.adapters.keys()]) if (!roster.has(uid)) this.#drop(peer, uid)
    for (const [uid, namespace] of roster) this.#add(peer, uid, namespace)
    if (kind === 'hello') void this.#sendRoster('here')
  }

  #remove(server: string): void {
    const peer = this.#peers.get(server)
    if (peer === undefined) return
    this.#peers.delete(server)
    for (const uid of [...peer.adapters.keys()]) this.#drop(peer, uid)
  }

  #add(peer: Peer, uid: string, namespace: string): void {
    if (peer.adapters.has(uid)) return
    peer.adapters.set(uid, namespace)
    this.#options.onUp(namespace, uid)
  }

  #drop(peer: Peer, uid: string): void {
    const namespace = peer.adapters.get(uid)
    if (namespace === undefined) return
    peer.adapters.delete(uid)
    this.#options.onDown(namespace, uid)
  }
}
