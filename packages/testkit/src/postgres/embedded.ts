import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as later } from 'node:timers/promises'
import { testkitError } from '../errors.js'
import { freePort } from '../process/free-port.js'
import { temporaryFolder } from '../process/temp-folder.js'
import { unprivilegedUser } from '../process/user.js'
import { type Service, Watchdog } from '../process/watchdog.js'
import { type Binaries, findBinaries } from './binaries.js'
import { type Cluster, prepareCluster } from './cluster.js'
import { Host, usable } from './host.js'
import type { ResolvedPostgresOptions } from './options.js'
import type { ServerProvider } from './provider.js'

const START_TIMEOUT_MS = 60_000
const PORT_RETRY_MS = 10_000

/** Prepares a real PostgreSQL of our own; `start()` then starts it. */
export async function prepareEmbedded(options: ResolvedPostgresOptions): Promise<ServerProvider> {
  const watchdog = Watchdog.start()
  try {
    const user = unprivilegedUser()
    const folder = await temporaryFolder(watchdog, user)
    const host = new Host(watchdog, user, folder)
    const found = await findBinaries(options.major, (postgres) => host.version(postgres))
    const binaries = await usable(found, host)
    const cluster = await prepareCluster(host, binaries, options)
    return new EmbeddedServer(host, binaries, cluster, options)
  } catch (error) {
    await watchdog.end().catch(() => {})
    throw error
  }
}

/**
 * A server under the watchdog.
 *
 * States: stopped, running, frozen (a flavour of running), closed. `PostgresServer` lets one operation run at a time.
 * The port is given, or chosen at the first start, and kept by all later ones.
 */
class EmbeddedServer implements ServerProvider {
  readonly #host: Host
  readonly #binaries: Binaries
  readonly #cluster: Cluster
  readonly #keepsData: boolean
  readonly #logFile: string
  #port: number | undefined
  #service: Service | undefined

  constructor(
    host: Host,
    binaries: Binaries,
    cluster: Cluster,
    { dataDir, port }: ResolvedPostgresOptions,
  ) {
    this.#host = host
    this.#binaries = binaries
    this.#cluster = cluster
    this.#keepsData = dataDir !== undefined
    this.#port = port
    this.#logFile = join(host.folder, 'postgres.log')
  }

  get major(): number {
    return this.#binaries.major
  }

  get url(): string {
    return `postgres://postgres:${this.#cluster.password}@127.0.0.1:${this.#port}/postgres`
  }

  get outlivesUs(): boolean {
    return this.#keepsData
  }

  get running(): boolean {
    return this.#service !== undefined
  }

  log(): string {
    return this.#logSince(0).slice(-4_000)
  }

  async start(): Promise<void> {
    const deadline = performance.now() + PORT_RETRY_MS
    for (;;) {
      const port = this.#port ?? (await freePort())
      const failure = await this.#launch(port)
      if (failure === undefined) {
        this.#port = port
        return
      }
      const taken = failure.includes('could not bind')
      if (!taken || performance.now() > deadline) {
        throw testkitError('TESTKIT_START_FAILED', `PostgreSQL did not start: ${failure}`)
      }
      await later(50)
    }
  }

  /** Starts the server on `port`; returns what it said when it ended instead of becoming ready. */
  async #launch(port: number): Promise<string | undefined> {
    const { data } = this.#cluster
    const pidFile = join(data, 'postmaster.pid')
    const said = this.#logSince(0).length
    const service = await this.#host.watchdog.start({
      ...this.#host.command(this.#binaries.postgres, ['-D', data, '-p', String(port)]),
      logFile: this.#logFile,
      // Kept data is worth a checkpoint; data that is deleted next is not.
      endSignal: this.#keepsData ? 'SIGINT' : 'SIGQUIT',
      pidFile,
    })
    let ended = false
    void service.exited.then(() => {
      ended = true
      if (this.#service === service) this.#service = undefined
    })
    const deadline = performance.now() + START_TIMEOUT_MS
    while (!ended && performance.now() < deadline) {
      if (isReady(pidFile, service.pid)) {
        this.#service = service
        return undefined
      }
      await later(10)
    }
    if (!ended) await service.kill()
    return this.#logSince(said)
  }

  async stop(): Promise<void> {
    await this.#end((service) => service.stop('SIGINT'))
  }

  async kill(): Promise<void> {
    await this.#end((service) => service.kill())
  }

  async freeze(): Promise<void> {
    await this.#service?.freeze()
  }

  async thaw(): Promise<void> {
    await this.#service?.thaw()
  }

  async close(): Promise<void> {
    await this.#host.watchdog.end()
  }

  #logSince(offset: number): string {
    return existsSync(this.#logFile) ? readFileSync(this.#logFile, 'utf8').slice(offset) : ''
  }

  async #end(how: (service: Service) => Promise<unknown>): Promise<void> {
    const service = this.#service
    if (service === undefined) return
    await Promise.all([how(service), service.ended()])
    this.#service = undefined
  }
}

/** The eighth line of `postmaster.pid` says so; the first names the process, as a killed server leaves its file. */
function isReady(pidFile: string, pid: number): boolean {
  try {
    const lines = readFileSync(pidFile, 'utf8').split('\n')
    return Number(lines[0]) === pid && lines[7]?.trim() === 'ready'
  } catch {
    return false
  }
}
