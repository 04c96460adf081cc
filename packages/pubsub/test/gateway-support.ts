import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect } from 'vitest'
import { WebSocket } from 'ws'
import { WebSocketGateway, type WebSocketGatewayOptions } from '../src/adapters/websocket.js'
import type { PubSub } from '../src/index.js'

export interface Ctx {
  readonly user: string
}

export type Frame = Record<string, unknown> & { readonly t: string }

/** Streams are the names that begin so; other names are channels. */
export const STREAM = 'stream/'

/** Options of a gateway that lets everybody do everything, as the user that the query names. */
export function openOptions(pubsub: PubSub): WebSocketGatewayOptions<Ctx> {
  return {
    resolve: (name) => (name.startsWith(STREAM) ? pubsub.stream(name) : pubsub.channel(name)),
    context: ({ url }) => ({
      user: new URL(url ?? '', 'http://x').searchParams.get('user') ?? 'nobody',
    }),
    authorize: () => true,
  }
}

const servers: Server[] = []
const gateways: { close(): Promise<void> }[] = []
const clients: RawClient[] = []

export async function listen(server: Server): Promise<number> {
  servers.push(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

export function closeLater<T extends { close(): Promise<void> }>(gateway: T): T {
  gateways.push(gateway)
  return gateway
}

/** Starts a gateway on a server of its own. */
export async function serve(
  options: WebSocketGatewayOptions<Ctx>,
): Promise<{ gateway: WebSocketGateway<Ctx>; port: number; url: string; server: Server }> {
  const gateway = closeLater(new WebSocketGateway(options))
  const server = createServer()
  gateway.attach(server, { path: '/realtime' })
  const port = await listen(server)
  return { gateway, port, server, url: `ws://127.0.0.1:${port}/realtime` }
}

/** Ends what the tests of a file opened. */
export async function closeAll(): Promise<void> {
  for (const client of clients.splice(0)) client.ws.terminate()
  await Promise.all(gateways.splice(0).map((gateway) => gateway.close()))
  await Promise.all(
    servers.splice(0).map(async (server) => {
      server.closeAllConnections()
      server.close()
    }),
  )
}

/** A WebSocket that shows every frame. */
export class RawClient {
  readonly ws: WebSocket
  readonly frames: Frame[] = []
  closed: { code: number; reason: string } | undefined

  constructor(url: string, options: WebSocket.ClientOptions = {}) {
    this.ws = new WebSocket(url, { perMessageDeflate: false, ...options })
    clients.push(this)
    this.ws.on('message', (data) => this.frames.push(JSON.parse(String(data)) as Frame))
    this.ws.on('close', (code, reason) => {
      this.closed = { code, reason: String(reason) }
    })
    this.ws.on('error', () => {})
  }

  static async open(url: string, options?: WebSocket.ClientOptions): Promise<RawClient> {
    const client = new RawClient(url, options)
    await once(client.ws, 'open')
    return client
  }

  send(frame: unknown): void {
    this.ws.send(JSON.stringify(frame))
  }

  ofType(t: string): Frame[] {
    return this.frames.filter((frame) => frame.t === t)
  }

  /** Waits for a frame of a type, or so many of them. */
  async wait(t: string, count = 1): Promise<Frame> {
    await expect.poll(() => this.ofType(t).length, { interval: 5 }).toBeGreaterThanOrEqual(count)
    return this.ofType(t)[count - 1] as Frame
  }

  async subscribe(ch: string, more: object = {}): Promise<Frame> {
    const before = this.ofType('subd').length
    this.send({ t: 'sub', id: before + 1, ch, ...more })
    return this.wait('subd', before + 1)
  }

  async waitClosed(): Promise<{ code: number; reason: string }> {
    await expect.poll(() => this.closed, { interval: 5 }).toBeDefined()
    return this.closed as { code: number; reason: string }
  }
}

/** The status that answers a connection that is refused. */
export async function refusal(url: string, options: WebSocket.ClientOptions = {}): Promise<number> {
  const client = new RawClient(url, options)
  return new Promise((resolve, reject) => {
    client.ws.on('unexpected-response', (_, response) => {
      response.resume()
      resolve(response.statusCode ?? 0)
    })
    client.ws.on('open', () => reject(new Error('It was let in.')))
  })
}
