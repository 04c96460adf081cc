import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { createClient } from 'redis'
import { notTested } from '../../../scripts/not-tested.js'

export type RedisClient = ReturnType<typeof clientOf>

/** Whether this machine has a Redis; says so where it has not. */
export const hasRedis: boolean = spawnSync('redis-server', ['--version']).status === 0
if (!hasRedis) notTested('@howdah/session beside connect-redis', 'there is no redis-server')

/** A Redis of the test's own. */
export class RedisServer {
  readonly port: number
  readonly #child: ChildProcess
  readonly #clients: RedisClient[] = []

  private constructor(port: number) {
    this.port = port
    this.#child = spawn(
      'redis-server',
      ['--port', String(port), '--bind', '127.0.0.1', '--save', ''],
      { stdio: 'ignore' },
    )
  }

  static async start(at?: number): Promise<RedisServer> {
    const server = new RedisServer(at ?? (await freePort()))
    // Clients try until they are connected.
    await (await server.client()).ping()
    return server
  }

  /** A client that fails at once when the server is gone, and connects again when it is back. */
  async client(): Promise<RedisClient> {
    const client = clientOf(this.port)
    client.on('error', () => {})
    this.#clients.push(client)
    await client.connect()
    return client
  }

  /** `kill -9` */
  async kill(): Promise<void> {
    const ended = once(this.#child, 'exit')
    if (!this.#child.kill('SIGKILL')) return
    await ended
  }

  async close(): Promise<void> {
    for (const client of this.#clients) if (client.isOpen) client.destroy()
    if (this.#child.exitCode === null && this.#child.signalCode === null) await this.kill()
  }
}

function clientOf(port: number) {
  return createClient({
    socket: { host: '127.0.0.1', port, reconnectStrategy: () => 50 },
    disableOfflineQueue: true,
  })
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}
