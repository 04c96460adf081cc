/**
 * Channels and streams for browsers, over server-sent events.
 *
 * @packageDocumentation
 */
import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http'
import { isHowdahError } from '@howdah/core'
import { FrameEncoder } from '../gateway/frame-encoder.js'
import { Gateway } from '../gateway/gateway.js'
import type { SseGatewayOptions } from '../gateway/options.js'
import { SseConnection } from '../gateway/sse-connection.js'
import { parseSseRequest, type SseRequest } from '../gateway/sse-request.js'

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
  SseGatewayOptions,
} from '../gateway/options.js'
export type { ServerFrame, SubscriptionState } from '../gateway/protocol.js'
export type { ChannelSource, Source, StreamSource } from '../gateway/sources.js'

/**
 * Brings channels and streams to any `EventSource`, and to whatever reads a response: node:http, Express, Fastify. A plain EventSource resumes all its
 * streams by itself, for the id of each event says where it is in every one.
 *
 * @example
 * ```ts
 * import { createServer } from 'node:http'
 * import { PubSub } from '@howdah/pubsub'
 * import { SseGateway } from '@howdah/pubsub/sse'
 * import { Pool } from 'pg'
 *
 * const pubsub = new PubSub({ pool: new Pool() })
 * const gateway = new SseGateway({
 *   resolve: (name) => (name === 'orders' ? pubsub.stream('orders') : undefined),
 *   context: (request) => (request.headers.cookie === undefined ? 401 : { user: request.headers.cookie }),
 *   authorize: () => true,
 * })
 * createServer((request, response) => gateway.handle(request, response)).listen(3000)
 * // In a page: new EventSource('/?ch=orders').onmessage = ({ data }) => console.log(JSON.parse(data).data)
 * ```
 */
export class SseGateway<Ctx extends object> extends Gateway<Ctx> {
  readonly #encoder = new FrameEncoder({ wrap: wrapEvent })

  /**
   * Checks the options; does no I/O.
   *
   * @throws {@link HowdahError} PUBSUB_INVALID_OPTION, CORE_INVALID_DURATION
   */
  constructor(options: SseGatewayOptions<Ctx>) {
    super(options, false)
  }

  /**
   * Answers one GET request with events until either side ends it. For Express pass `req` and `res`; for Fastify `request.raw` and `reply.raw`
   * after `reply.hijack()`.
   */
  handle(request: IncomingMessage, response: ServerResponse): void {
    if (request.method !== 'GET') {
      refuse(response, 405)
      return
    }
    try {
      this.#admit(request, response, parseSseRequest(request, this.options.maxSubscriptions))
    } catch (error) {
      refuse(response, 400, isHowdahError(error) ? error.message : undefined)
    }
  }

  #admit(request: IncomingMessage, response: ServerResponse, asked: SseRequest): void {
    void this.admit(request).then((admitted) => {
      if (typeof admitted === 'number') return refuse(response, admitted)
      if (response.destroyed || response.writableEnded) return admitted.release()
      open(request, response)
      const connection = new SseConnection({
        response,
        request: asked,
        context: admitted.context,
        encoder: this.#encoder,
        turn: this.turn,
        shared: this.shared,
        onFrame: () => this.countFrame(),
        onBytes: (bytes) => this.countBytes(bytes),
      })
      const leave = this.join(connection, admitted)
      response.on('close', () => {
        connection.end()
        leave()
      })
      response.on('error', () => {})
      connection.start()
    })
  }
}

function open(request: IncomingMessage, response: ServerResponse): void {
  const { origin } = request.headers
  // Its origin was allowed, or it would not have been let in.
  if (origin !== undefined) {
    response.setHeader('Access-Control-Allow-Origin', origin)
    response.setHeader('Access-Control-Allow-Credentials', 'true')
    response.appendHeader('Vary', 'Origin')
  }
  response.writeHead(200, {
    'Content-Type': 'text/event-stream; charset=utf-8',
    'Cache-Control': 'no-cache, no-transform',
    // nginx would hold events back.
    'X-Accel-Buffering': 'no',
  })
  response.flushHeaders()
  // Else all clients of a server that died come back at once.
  response.write(`retry: ${Math.round(500 + Math.random() * 2000)}\n\n`)
  request.socket.setNoDelay(true)
  request.socket.setTimeout(0)
}

/** Messages are plain events, others are named by their frame; `error` is what EventSource says of the connection. */
function wrapEvent(json: string, type: string): Buffer {
  if (type === 'msg') return Buffer.from(`data: ${json}\n`)
  return Buffer.from(`event: ${type === 'error' ? 'refused' : type}\ndata: ${json}\n`)
}

function refuse(response: ServerResponse, status: number, text = STATUS_CODES[status]): void {
  response.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8' })
  response.end(text)
}
