/**
 * One response of server-sent events. Nothing comes back on it: what it listens to stands in the request, and where it is goes along with each event
 * as its id, so that a plain EventSource resumes by itself.
 *
 * Invariants
 * - The id after an event says of every stream of the request where the client is, that event included.
 * - A message's event and its id go out together, or the client would meet it again.
 */
import type { ServerResponse } from 'node:http'
import { setTimeout as later } from 'node:timers'
import type { Client } from './client.js'
import type { FrameEncoder } from './frame-encoder.js'
import type { Connection } from './gateway.js'
import { type FlushTurn, Outgoing } from './outgoing.js'
import type { ServerFrame } from './protocol.js'
import { Session, type SessionShared } from './session.js'
import { formatCursor, type SseRequest } from './sse-request.js'

/** A comment: it keeps proxies from closing what seems idle. */
const BEAT = Buffer.from(':\n\n')

export interface SseConnectionOptions<Ctx extends object> {
  readonly response: ServerResponse
  readonly request: SseRequest
  readonly context: Ctx
  readonly encoder: FrameEncoder
  readonly turn: FlushTurn
  readonly shared: SessionShared<Ctx>
  readonly onFrame: () => void
  readonly onBytes: (bytes: number) => void
}

export class SseConnection<Ctx extends object> implements Client, Connection<Ctx> {
  readonly session: Session<Ctx>
  readonly encoder: FrameEncoder
  readonly outgoing: Outgoing
  readonly #options: SseConnectionOptions<Ctx>
  #buffered = 0
  #leaving: NodeJS.Timeout | undefined
  #ended = false

  constructor(options: SseConnectionOptions<Ctx>) {
    const { response, turn, onBytes, shared, context } = options
    this.#options = options
    this.encoder = options.encoder
    this.outgoing = new Outgoing(response, turn, onBytes)
    this.session = new Session(shared, this, context)
  }

  get slow(): boolean {
    return this.outgoing.slow
  }

  /** Subscribes to what the request names. */
  start(): void {
    const { channels, after, filters, resumed } = this.#options.request
    for (const [n, ch] of channels.entries()) {
      const request = { id: n, ch, after: after.get(ch), filter: filters[ch] }
      void this.session.subscribe(request).then(() => {
        // A channel keeps nothing for those who were away.
        if (resumed && this.session.listensToChannel(ch)) this.send({ t: 'gap', ch })
      })
    }
  }

  sendMessage(frame: Uint8Array): void {
    if (this.#ended) return
    this.#options.onFrame()
    this.outgoing.push(frame)
    this.#pushId()
  }

  send(frame: ServerFrame): void {
    if (this.#ended) return
    // An id alone moves the position and is no event.
    if (frame.t === 'skip') this.#pushId()
    else this.sendMessage(this.encoder.frame(frame))
  }

  closeSlow(): void {
    this.#options.response.destroy()
  }

  beat(): void {
    const { response } = this.#options
    // Nothing moved for a whole heartbeat: the other side is gone, or will come back for what it missed.
    const stuck = response.writableLength > 0 && response.writableLength === this.#buffered
    this.#buffered = response.writableLength
    if (stuck) response.destroy()
    else if (!this.outgoing.slow) this.outgoing.push(BEAT)
  }

  leave(afterMs: number): void {
    this.#leaving = later(() => {
      // To another process, at once: the time was spread already.
      this.outgoing.push(Buffer.from('retry: 100\n\n'))
      this.end()
    }, afterMs)
  }

  end(): void {
    if (this.#ended) return
    this.#ended = true
    clearTimeout(this.#leaving)
    this.session.close()
    const { response } = this.#options
    if (this.outgoing.slow) response.destroy()
    else {
      this.outgoing.flushAll()
      response.end()
    }
    this.outgoing.close()
  }

  cut(): void {
    this.#options.response.destroy()
  }

  #pushId(): void {
    const { channels, digest } = this.#options.request
    const positions = channels.map((ch) => this.session.positionOf(ch))
    this.outgoing.push(Buffer.from(`id: ${formatCursor(digest, positions)}\n\n`))
  }
}
