/**
 * One WebSocket: what comes in is counted, read and handed to the session; what goes out are frames that were built before, written to the
 * socket itself so that one write carries many of them.
 *
 * Invariants
 * - Only whole frames are written, always from the turn of the event loop that took them, so frames that `ws` writes by itself (pong, close) never
 *   fall inside one. `ws` never compresses here, so it never holds a frame back.
 * - While `MAX_PENDING` frames are being answered, no more are read from the socket.
 */
import type { Duplex } from 'node:stream'
import { isHowdahError } from '@howdah/core'
import type { WebSocket } from 'ws'
import { pubSubError } from '../errors.js'
import type { Client } from './client.js'
import type { FrameEncoder } from './frame-encoder.js'
import type { Connection } from './gateway.js'
import type { ResolvedWebSocketOptions } from './options.js'
import { type FlushTurn, Outgoing } from './outgoing.js'
import { CLOSE_CODES, type ClientFrame, parseClientFrame, type ServerFrame } from './protocol.js'
import { Session, type SessionShared } from './session.js'
import { TokenBucket } from './token-bucket.js'

const MAX_PENDING = 64

export interface WebSocketConnectionOptions<Ctx extends object> {
  readonly ws: WebSocket
  readonly socket: Duplex
  readonly context: Ctx
  readonly encoder: FrameEncoder
  readonly turn: FlushTurn
  readonly shared: SessionShared<Ctx>
  readonly options: ResolvedWebSocketOptions<Ctx>
  readonly onFrame: () => void
  readonly onBytes: (bytes: number) => void
}

export class WebSocketConnection<Ctx extends object> implements Client, Connection<Ctx> {
  readonly session: Session<Ctx>
  readonly encoder: FrameEncoder
  readonly outgoing: Outgoing
  readonly #ws: WebSocket
  readonly #options: WebSocketConnectionOptions<Ctx>
  readonly #frames: TokenBucket
  readonly #publishes: TokenBucket
  #refusals = 0
  #pending = 0
  #token: Promise<void> = Promise.resolve()
  #alive = true
  #writtenAt = 0
  #closing = false

  constructor(options: WebSocketConnectionOptions<Ctx>) {
    const { ws, socket, turn, onBytes } = options
    this.#options = options
    this.#ws = ws
    this.encoder = options.encoder
    this.outgoing = new Outgoing(socket, turn, onBytes)
    this.session = new Session(options.shared, this, options.context)
    this.#frames = new TokenBucket(options.options.frameRate)
    this.#publishes = new TokenBucket(options.options.publishRate)
    ws.on('pong', () => {
      this.#alive = true
    })
    ws.on('message', (data, isBinary) => {
      this.#alive = true
      if (isBinary) this.#close(CLOSE_CODES.notText, 'Frames are text.')
      else this.#receive(String(data))
    })
    // A frame that is too large or broken: ws closes, with the code for it.
    ws.on('error', () => {})
  }

  get slow(): boolean {
    return this.outgoing.slow
  }

  sendMessage(frame: Uint8Array): void {
    if (this.#closing) return
    this.#options.onFrame()
    this.outgoing.push(frame)
  }

  send(frame: ServerFrame): void {
    this.sendMessage(this.encoder.frame(frame))
  }

  closeSlow(): void {
    this.#close(CLOSE_CODES.slow, 'Too slow.')
  }

  beat(): void {
    // A slow client that still takes bytes is alive: the ping waits behind them.
    const { socket } = this.#options
    const taken = (socket as { bytesWritten?: number }).bytesWritten ?? 0
    const written = taken - socket.writableLength
    const moves = socket.writableLength > 0 && written > this.#writtenAt
    this.#writtenAt = written
    if (!this.#alive && !moves) {
      this.#ws.terminate()
      return
    }
    this.#alive = false
    if (!this.outgoing.slow && this.#ws.readyState === this.#ws.OPEN) this.#ws.ping()
  }

  leave(afterMs: number): void {
    this.send({ t: 'going', in: Math.round(afterMs) })
  }

  end(): void {
    this.#close(CLOSE_CODES.restart, 'The server restarts.')
  }

  cut(): void {
    this.#ws.terminate()
  }

  #receive(text: string): void {
    if (this.#closing) return
    let frame: ClientFrame
    try {
      frame = parseClientFrame(text)
    } catch (error) {
      this.#close(CLOSE_CODES.malformed, isHowdahError(error) ? error.message : 'Malformed.')
      return
    }
    const id = 'id' in frame ? frame.id : undefined
    const ch = frame.t === 'sub' ? frame.ch : undefined
    if (!this.#frames.take() || (frame.t === 'pub' && !this.#publishes.take())) {
      this.#refuse({ id, ch })
      return
    }
    if (++this.#pending >= MAX_PENDING) this.#ws.pause()
    void this.#handle(frame).finally(() => {
      if (this.#pending-- === MAX_PENDING && this.#ws.isPaused) this.#ws.resume()
    })
  }

  async #handle(frame: ClientFrame): Promise<void> {
    if (frame.t === 'token') {
      const { token } = frame
      this.#token = this.#token.then(() => this.#takeToken(token))
    }
    await this.#token
    if (this.#closing) return
    switch (frame.t) {
      case 'ping':
        return this.send({ t: 'pong' })
      case 'sub':
        return await this.session.subscribe(frame)
      case 'unsub':
        return this.session.unsubscribe(frame.ch)
      case 'pub':
        return await this.session.publish(frame)
    }
  }

  async #takeToken(token: string): Promise<void> {
    const { options, shared } = this.#options
    try {
      const context = await options.token?.(token, this.session.context)
      if (typeof context === 'object') {
        this.session.context = context
        await this.session.recheck()
        return
      }
    } catch (error) {
      shared.onError(error)
    }
    this.#close(CLOSE_CODES.unauthenticated, 'The token was not accepted.')
  }

  /** Refuses a frame that came too fast; who goes on all the same is closed. */
  #refuse(about: { id: number | undefined; ch: string | undefined }): void {
    const message = 'Too many frames. Send fewer, and later.'
    const { code } = pubSubError('PUBSUB_RATE_LIMITED', message)
    if (++this.#refusals > this.#options.options.frameRate.burst) {
      this.#close(CLOSE_CODES.rateLimited, message)
      return
    }
    this.send({ t: 'error', code, message, ...about })
  }

  #close(code: number, reason: string): void {
    if (this.#closing) return
    this.#closing = true
    this.session.close()
    // Behind what a slow client does not read, a close frame would not arrive either.
    if (this.outgoing.slow) {
      this.outgoing.close()
      this.#ws.terminate()
      return
    }
    this.outgoing.flushAll()
    this.outgoing.close()
    this.#ws.close(code, reason)
  }
}
