import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Database } from '@howdah/core'
import { type AdapterOptions, createAdapter } from '@howdah/pubsub/socket.io'
import { type TestDatabase, testDatabase } from '@howdah/testkit'
import pg from 'pg'
import { Server, type ServerOptions } from 'socket.io'
import {
  io as connect,
  type ManagerOptions,
  type Socket,
  type SocketOptions,
} from 'socket.io-client'
import { expect } from 'vitest'

/** A Socket.IO server as a process of its own would have it. */
export interface Node {
  readonly io: Server
  readonly url: string
  readonly pool: pg.Pool
  readonly errors: unknown[]
  close(): Promise<void>
}

export interface NodeOptions {
  readonly adapter?: Omit<AdapterOptions, 'pool' | 'pubsub'>
  readonly server?: Partial<ServerOptions>
  /** Where its pool connects to, in place of the database. */
  readonly url?: string
}

type ClientOptions = Partial<ManagerOptions & SocketOptions>

/** Servers and clients of one test file, and their database. */
export class Bench {
  readonly database: TestDatabase
  readonly #nodes = new Set<Node>()
  readonly #clients: Socket[] = []

  static async start(): Promise<Bench> {
    return new Bench(await testDatabase())
  }

  private constructor(database: TestDatabase) {
    this.database = database
  }

  async node({
    adapter,
    server,
    url: databaseUrl = this.database.url,
  }: NodeOptions = {}): Promise<Node> {
    const pool = new pg.Pool({ connectionString: databaseUrl })
    // Servers are restarted in tests.
    pool.on('error', () => {})
    pool.on('connect', (client) => client.on('error', () => {}))
    const errors: unknown[] = []
    const http = createServer()
    const io = new Server(http, {
      adapter: createAdapter({ pool, onError: (error) => errors.push(error), ...adapter }),
      ...server,
    })
    http.listen(0, '127.0.0.1')
    await once(http, 'listening')
    const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`
    const close = async (): Promise<void> => {
      if (!this.#nodes.delete(node)) return
      await io.close()
      http.closeAllConnections()
      await Database.from(pool).close()
      await pool.end()
    }
    const node: Node = { io, url, pool, errors, close }
    this.#nodes.add(node)
    return node
  }

  /** Servers that know of one another. */
  async cluster(count: number, options: NodeOptions = {}): Promise<Node[]> {
    const nodes = await Promise.all(Array.from({ length: count }, () => this.node(options)))
    await expect.poll(() => counts(nodes), { interval: 20 }).toEqual(nodes.map(() => count))
    return nodes
  }

  /** A client that is connected. */
  async client(node: Node, namespace = '/', options: ClientOptions = {}): Promise<Socket> {
    const client = this.idle(node.url, namespace, options)
    client.connect()
    await new Promise<void>((resolve, reject) => {
      client.once('connect', resolve)
      client.once('connect_error', reject)
    })
    return client
  }

  /** A client that is not yet connected. */
  idle(url: string, namespace = '/', options: ClientOptions = {}): Socket {
    const client = connect(`${url}${namespace}`, {
      autoConnect: false,
      forceNew: true,
      transports: ['websocket'],
      ...options,
    })
    this.#clients.push(client)
    return client
  }

  async afterEach(): Promise<void> {
    for (const client of this.#clients.splice(0)) client.disconnect()
    await Promise.all([...this.#nodes].map((node) => node.close()))
  }

  async close(): Promise<void> {
    await this.afterEach()
    await this.database.close()
  }
}

export function counts(nodes: readonly Node[], namespace = '/'): Promise<number[]> {
  return Promise.all(nodes.map(({ io }) => io.of(namespace).adapter.serverCount()))
}

/** What a client hears of an event. */
export function hear(client: Socket, event: string): unknown[][] {
  const heard: unknown[][] = []
  client.on(event, (...args: unknown[]) => heard.push(args))
  return heard
}
