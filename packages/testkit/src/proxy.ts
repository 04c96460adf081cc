import { createServer, connect as dial, type Server, type Socket } from 'node:net'
import { setTimeout as later } from 'node:timers/promises'
import { testkitError } from './errors.js'
import { assertUrl } from './postgres/options.js'
import { freePort } from './process/free-port.js'

const LISTEN_RETRY_MS = 10_000

/** Where {@link startProxy} forwards to. */
export interface ProxyTarget {
  readonly host: string
  readonly port: number
}

interface Pair {
  readonly client: Socket
  readonly upstream: Socket
}

/**
 * A TCP proxy in this process that can fail in the ways networks do, made by `startProxy()`.
 *
 * Forwarding, frozen or closed; independently of that it accepts new connections or refuses them. While frozen, nothing
 * passes in either direction, not even the end of a connection, so each side sees a peer that is there and silent.
 */
export class TcpProxy {
  /** The port to connect to, on 127.0.0.1. */
  readonly port: number
  readonly #target: ProxyTarget
  readonly #pairs = new Set<Pair>()
  #server: Server | undefined
  #frozen = false
  #closed = false

  /** Made by `startProxy()`. @internal */
  constructor(port: number, target: ProxyTarget) {
    this.port = port
    this.#target = target
  }

  /** How many connections are open now. */
  get connections(): number {
    return this.#pairs.size
  }

  /** Returns the connection string with the proxy in place of the server. */
  url(databaseUrl: string): string {
    const changed = assertUrl(databaseUrl)
    changed.hostname = '127.0.0.1'
    changed.port = String(this.port)
    return changed.href
  }

  /** Stops forwarding in both directions and closes nothing; new connections open and stay silent. */
  freeze(): void {
    this.#frozen = true
    for (const { client, upstream } of this.#pairs) {
      client.pause()
      upstream.pause()
    }
  }

  /** Forwards again, first what was sent while frozen. */
  thaw(): void {
    this.#frozen = false
    for (const pair of this.#pairs) {
      if (pair.client.destroyed || pair.upstream.destroyed) this.#drop(pair)
      else {
        pair.client.resume()
        pair.upstream.resume()
      }
    }
  }

  /** Resets the connections that are open now; new ones may follow. Returns how many there were. */
  cut(): number {
    const pairs = [...this.#pairs]
    for (const pair of pairs) this.#drop(pair)
    return pairs.length
  }

  /** Refuses new connections from now on, as a machine does where nobody listens. */
  async refuse(): Promise<void> {
    const server = this.#server
    this.#server = undefined
    if (server === undefined) return
    // The callback would wait for the open connections; the port is free at once.
    server.close()
  }

  /**
   * Takes new connections again.
   *
   * @throws {@link HowdahError} TESTKIT_CLOSED when the proxy was closed.
   */
  async accept(): Promise<void> {
    if (this.#closed)
      throw testkitError('TESTKIT_CLOSED', 'This proxy was closed; start a new one.')
    if (this.#server !== undefined) return
    const deadline = performance.now() + LISTEN_RETRY_MS
    for (;;) {
      try {
        this.#server = await this.#listen()
        return
      } catch (error) {
        if (performance.now() > deadline) throw error
        await later(20)
      }
    }
  }

  /** Resets every connection and stops listening. */
  async close(): Promise<void> {
    this.#closed = true
    await this.refuse()
    this.cut()
  }

  /** The same as {@link TcpProxy.close}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #listen(): Promise<Server> {
    return new Promise((resolve, reject) => {
      const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) =>
        this.#forward(socket),
      )
      server.once('error', reject)
      server.listen({ host: '127.0.0.1', port: this.port, exclusive: true }, () => resolve(server))
    })
  }

  #forward(client: Socket): void {
    const upstream = dial({ ...this.#target, allowHalfOpen: true })
    const pair: Pair = { client, upstream }
    this.#pairs.add(pair)
    this.#carry(pair, client, upstream)
    this.#carry(pair, upstream, client)
    if (this.#frozen) upstream.pause()
    else client.resume()
  }

  #carry(pair: Pair, from: Socket, to: Socket): void {
    from.setNoDelay(true)
    from.on('data', (chunk) => {
      if (!to.write(chunk)) from.pause()
    })
    to.on('drain', () => {
      if (!this.#frozen) from.resume()
    })
    from.on('end', () => to.end())
    // What breaks one side must not be seen by the other while frozen; thaw() looks after it.
    from.on('error', () => {})
    from.on('close', () => {
      if (!this.#frozen) this.#drop(pair)
    })
  }

  #drop(pair: Pair): void {
    if (!this.#pairs.delete(pair)) return
    pair.client.resetAndDestroy()
    pair.upstream.resetAndDestroy()
  }
}

/**
 * Starts a TCP proxy in front of a server, to test what happens when the network between fails.
 *
 * @example
 * ```ts
 * import { startPostgres, startProxy } from '@howdah/testkit'
 * import { Pool } from 'pg'
 *
 * const server = await startPostgres()
 * const proxy = await startProxy({ host: '127.0.0.1', port: server.port })
 * const pool = new Pool({ connectionString: proxy.url(server.url) })
 * proxy.freeze() // connections are open, and nothing answers
 * proxy.cut()
 * await proxy.close()
 * ```
 */
export async function startProxy(target: ProxyTarget): Promise<TcpProxy> {
  const { host, port } = target
  if (
    typeof host !== 'string' ||
    host === '' ||
    !Number.isInteger(port) ||
    port < 1 ||
    port > 65_535
  ) {
    throw testkitError(
      'TESTKIT_INVALID_OPTION',
      'host must be a name or an address, and port a number from 1 to 65535.',
    )
  }
  const proxy = new TcpProxy(await freePort(), { host, port })
  await proxy.accept()
  return proxy
}
