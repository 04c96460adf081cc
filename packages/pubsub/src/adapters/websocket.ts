/**
 * Channels and streams for browsers, over WebSockets.
 *
 * @packageDocumentation
 */
import { type IncomingMessage, STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { type WebSocket, WebSocketServer } from 'ws'
import { pubSubError } from '../errors.js'
import type { Admitted } from '../gateway/admission.js'
import { FrameEncoder } from '../gateway/frame-encoder.js'
import { Gateway } from '../gateway/gateway.js'
import {
  type ResolvedWebSocketOptions,
  resolveWebSocketOptions,
  type WebSocketGatewayOptions,
} from '../gateway/options.js'
import { WebSocketConnection } from '../gateway/web-socket-connection.js'
import { compressedTextFrame, textFrame } from '../gateway/web-socket-frame.js'

export type { FieldCondition, Filter, FilterValue } from '../gateway/filter.js'
export {
  type DrainOptions,
  Gateway,
  type GatewayEvents,
  type GatewayStats,
} from '../gateway/gateway.js'
export type {
  GatewayAction,
  GatewayOptions,
  Permission,
  RecheckOn,
  Refusal,
  WebSocketGatewayOptions,
} from '../gateway/options.js'
export type { ClientFrame, ServerFrame, SubscriptionState } from '../gateway/protocol.js'
export type { ChannelSource, Source, StreamSource } from '../gateway/sources.js'
export type { Rate } from '../gateway/token-bucket.js'

/** The part of an HTTP or HTTPS server that {@link WebSocketGateway.attach} uses. */
export interface UpgradableServer {
  on(
    event: 'upgrade',
    listener: (request: IncomingMessage, socket: Duplex, head: Buffer) => void,
  ): unknown
  off(
    event: 'upgrade',
    listener: (request: IncomingMessage, socket: Duplex, head: Buffer) => void,
  ): unknown
  listenerCount(event: 'upgrade'): number
}

/** Options of {@link WebSocketGateway.attach}. */
export interface AttachOptions {
  /** Path of the requests that are meant for the gateway, such as `'/realtime'`. */
  readonly path: string
}

/** Paths that gateways of this process took of each server, one listener each. */
const attached = new WeakMap<UpgradableServer, Set<string>>()

/**
 * Brings channels and streams to WebSocket clients, such as the one in `@howdah/pubsub/browser`. Needs the `ws` package.
 *
 * A stream reaches a client complete and in order, across lost connections, restarts of the gateway and of PostgreSQL; a channel reaches it at
 * most once, and what it may have missed is told.
 *
 * @example
 * ```ts
 * import { createServer } from 'node:http'
 * import { PubSub } from '@howdah/pubsub'
 * import { WebSocketGateway } from '@howdah/pubsub/websocket'
 * import { Pool } from 'pg'
 *
 * const pubsub = new PubSub({ pool: new Pool() })
 * const gateway = new WebSocketGateway({
 *   resolve: (name) => (name.startsWith('chat/') ? pubsub.channel(name) : undefined),
 *   context: (request) => (request.headers.cookie === undefined ? 401 : { user: request.headers.cookie }),
 *   authorize: ({ user }, channel) => channel === `chat/${user}`,
 * })
 * const server = createServer()
 * gateway.attach(server, { path: '/realtime' })
 * server.listen(3000)
 * ```
 */
export class WebSocketGateway<Ctx extends object> extends Gateway<Ctx> {
  readonly #options: ResolvedWebSocketOptions<Ctx>
  readonly #server: WebSocketServer
  readonly #plain = new FrameEncoder({ wrap: textFrame })
  readonly #compressing: FrameEncoder
  readonly #detach = new Set<() => void>()

  /**
   * Checks the options; does no I/O.
   *
   * @throws {@link HowdahError} PUBSUB_INVALID_OPTION, CORE_INVALID_DURATION
   */
  constructor(options: WebSocketGatewayOptions<Ctx>) {
    super(options, options.token !== undefined)
    this.#options = resolveWebSocketOptions(options)
    const { maxFrameBytes, compressAbove } = this.#options
    this.#compressing = new FrameEncoder({
      wrap: (json) =>
        json.length > (compressAbove ?? 0) ? compressedTextFrame(json) : textFrame(json),
    })
    this.#server = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      maxPayload: maxFrameBytes,
      // Frames are compressed here, once for all; ws reads compressed ones. Each must stand for itself, in either direction.
      perMessageDeflate: compressAbove !== undefined && {
        serverNoContextTakeover: true,
        clientNoContextTakeover: true,
        serverMaxWindowBits: false as never,
      },
    })
  }

  /**
   * Takes the upgrade requests of one path of a server. Requests for other paths are left to whoever else listens, and answered 404 where nobody
   * does. Returns the function that detaches.
   *
   * @throws {@link HowdahError} PUBSUB_INVALID_OPTION
   */
  attach(server: UpgradableServer, { path }: AttachOptions): () => void {
    if (typeof path !== 'string' || !path.startsWith('/')) {
      throw pubSubError('PUBSUB_INVALID_OPTION', "path must be such as '/realtime'.")
    }
    const paths = attached.get(server) ?? new Set()
    if (paths.has(path)) {
      throw pubSubError('PUBSUB_INVALID_OPTION', `${path} of this server is another gateway's.`)
    }
    attached.set(server, paths.add(path))
    const onUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      const [asked = ''] = (request.url ?? '').split('?', 1)
      if (asked === path) this.handleUpgrade(request, socket, head)
      else if (
        !paths.has(asked) &&
        server.listenerCount('upgrade') === paths.size &&
        !socket.writableEnded
      ) {
        refuse(socket, 404)
      }
    }
    server.on('upgrade', onUpgrade)
    const detach = () => {
      server.off('upgrade', onUpgrade)
      paths.delete(path)
      this.#detach.delete(detach)
    }
    this.#detach.add(detach)
    return detach
  }

  /** Takes one upgrade request, for applications that route them by themselves. */
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    // Until ws has it, a socket that breaks is nobody's business.
    const onError = () => socket.destroy()
    socket.on('error', onError)
    void this.admit(request).then((admitted) => {
      if (typeof admitted === 'number') return refuse(socket, admitted)
      if (socket.destroyed) return admitted.release()
      // ws answers requests that are no proper upgrade, and ends those that have gone, by itself.
      socket.once('close', admitted.release)
      socket.off('error', onError)
      this.#server.handleUpgrade(request, socket, head, (ws) => this.#open(ws, socket, admitted))
    })
  }

  /** Ends all connections, detaches from servers, and lets go of channels and streams. */
  override async close(): Promise<void> {
    for (const detach of this.#detach) detach()
    await super.close()
  }

  #open(ws: WebSocket, socket: Duplex, admitted: Admitted<Ctx>): void {
    const connection = new WebSocketConnection({
      ws,
      socket,
      context: admitted.context,
      encoder: ws.extensions === '' ? this.#plain : this.#compressing,
      turn: this.turn,
      shared: this.shared,
      options: this.#options,
      onFrame: () => this.countFrame(),
      onBytes: (bytes) => this.countBytes(bytes),
    })
    const leave = this.join(connection, admitted)
    ws.on('close', () => {
      connection.outgoing.close()
      leave()
    })
  }
}

function refuse(socket: Duplex, status: number): void {
  const reason = STATUS_CODES[status] ?? ''
  socket.once('finish', () => socket.destroy())
  socket.end(
    `HTTP/1.1 ${status} ${reason}\r\nConnection: close\r\nContent-Type: text/plain\r\n` +
      `Content-Length: ${reason.length}\r\n\r\n${reason}`,
  )
}
