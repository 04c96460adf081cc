import { randomBytes } from 'node:crypto'
import {
  appendFileSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { setTimeout as later } from 'node:timers/promises'
import { testkitError } from '../errors.js'
import { freePort } from '../process/free-port.js'
import { temporaryFolder } from '../process/temp-folder.js'
import { type User, unprivilegedUser } from '../process/user.js'
import { type RunResult, type Service, Watchdog } from '../process/watchdog.js'
import type { Command } from '../process/watchdog-main.js'
import { type Binaries, findBinaries, restoreLinks } from './binaries.js'
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
    return new EmbeddedServer(host, binaries, cluster, options.dataDir !== undefined)
  } catch (error) {
    await watchdog.end().catch(() => {})
    throw error
  }
}

/** Runs PostgreSQL's programs: as the right user, with a plain environment, under the watchdog. */
class Host {
  readonly watchdog: Watchdog
  readonly user: User | undefined
  readonly folder: string

  constructor(watchdog: Watchdog, user: User | undefined, folder: string) {
    this.watchdog = watchdog
    this.user = user
    this.folder = folder
  }

  command(file: string, args: readonly string[]): Command {
    const { PATH = '', SystemRoot } = process.env
    const env: Record<string, string> = { PATH, LC_ALL: 'C', TZ: 'UTC' }
    if (SystemRoot !== undefined) env['SystemRoot'] = SystemRoot
    return { file, args, env, cwd: this.folder, ...this.user }
  }

  run(file: string, args: readonly string[], input?: string): Promise<RunResult> {
    return this.watchdog.run(this.command(file, args), input)
  }

  async version(postgres: string): Promise<string | undefined> {
    const result = await this.run(postgres, ['--version']).catch(() => undefined)
    return result?.exitCode === 0 ? result.output : undefined
  }

  give(path: string): void {
    if (this.user !== undefined) chownSync(path, this.user.uid, this.user.gid)
  }
}

/** Copies the binaries for this run where they are when the server's user cannot start them there. */
async function usable(binaries: Binaries, host: Host): Promise<Binaries> {
  const { root } = binaries
  if (root === undefined) return binaries
  if (restoreLinks(root) && (await host.version(binaries.postgres)) !== undefined) return binaries
  const copy = join(host.folder, 'native')
  cpSync(root, copy, { recursive: true, verbatimSymlinks: true })
  restoreLinks(copy)
  const moved = (path: string): string => join(copy, 'bin', basename(path))
  const there = { ...binaries, initdb: moved(binaries.initdb), postgres: moved(binaries.postgres) }
  if ((await host.version(there.postgres)) === undefined) {
    throw testkitError(
      'TESTKIT_NO_BINARIES',
      `The PostgreSQL programs in ${root} do not run on this machine; install PostgreSQL and point HOWDAH_PG_BIN_DIR at the folder with initdb and postgres.`,
    )
  }
  return there
}

interface Cluster {
  readonly data: string
  readonly password: string
}

async function prepareCluster(
  host: Host,
  binaries: Binaries,
  options: ResolvedPostgresOptions,
): Promise<Cluster> {
  const password = randomBytes(18).toString('base64url')
  const data = options.dataDir === undefined ? join(host.folder, 'data') : resolve(options.dataDir)
  if (options.dataDir !== undefined && existsSync(join(data, 'PG_VERSION'))) {
    await reuseCluster(host, binaries, data, password)
  } else if (options.dataDir !== undefined) {
    await createKeptCluster(host, binaries, data, password)
  } else {
    await initialise(host, binaries, data, password)
  }
  const settings = {
    ...(options.durable ? {} : { fsync: 'off', full_page_writes: 'off' }),
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    // Segments of a killed server would stay behind in /dev/shm; these vanish with the folder.
    dynamic_shared_memory_type: process.platform === 'win32' ? 'windows' : 'mmap',
    max_connections: '200',
    ...options.settings,
  }
  const lines = Object.entries(settings).map(([k, v]) => `${k} = '${v.replaceAll("'", "''")}'`)
  const file = join(data, 'howdah.conf')
  writeFileSync(file, `${lines.join('\n')}\n`, { mode: 0o600 })
  host.give(file)
  const main = join(data, 'postgresql.conf')
  const include = "include_if_exists 'howdah.conf'"
  if (!readFileSync(main, 'utf8').includes(include)) appendFileSync(main, `\n${include}\n`)
  return { data, password }
}

async function initialise(
  host: Host,
  binaries: Binaries,
  data: string,
  password: string,
): Promise<void> {
  const passwordFile = join(host.folder, 'password')
  writeFileSync(passwordFile, `${password}\n`, { mode: 0o600 })
  host.give(passwordFile)
  const { exitCode, output } = await host.run(binaries.initdb, [
    `--pgdata=${data}`,
    '--username=postgres',
    `--pwfile=${passwordFile}`,
    '--auth=scram-sha-256',
    '--locale=C',
    '--encoding=UTF8',
    '--no-sync',
    '--no-instructions',
  ])
  if (exitCode !== 0) {
    throw testkitError('TESTKIT_START_FAILED', `initdb failed, see what it said:\n${output}`)
  }
}

/** Builds the data next to its place and renames it there, so an interrupted start leaves no half of it. */
async function createKeptCluster(
  host: Host,
  binaries: Binaries,
  data: string,
  password: string,
): Promise<void> {
  if (existsSync(data) && readdirSync(data).length > 0) {
    throw testkitError(
      'TESTKIT_DATA_DIR',
      `${data} is neither empty nor the data of a PostgreSQL server; name another dataDir.`,
    )
  }
  const partial = `${data}.partial-${randomBytes(6).toString('hex')}`
  await host.watchdog.own(partial)
  mkdirSync(partial, { recursive: true, mode: 0o700 })
  host.give(partial)
  await initialise(host, binaries, partial, password)
  if (existsSync(data)) rmdirSync(data)
  renameSync(partial, data)
  await host.watchdog.disown(partial)
}

/** Gives the kept data this start's password, over the single-user mode, which asks for none. */
async function reuseCluster(
  host: Host,
  binaries: Binaries,
  data: string,
  password: string,
): Promise<void> {
  const version = readFileSync(join(data, 'PG_VERSION'), 'utf8').trim()
  if (version !== String(binaries.major)) {
    throw testkitError(
      'TESTKIT_DATA_DIR',
      `${data} was made by PostgreSQL ${version}, not ${binaries.major}; start with major: ${version} or name another dataDir.`,
    )
  }
  const { exitCode, output } = await host.run(
    binaries.postgres,
    ['--single', '-D', data, '-c', 'log_min_messages=error', 'postgres'],
    `alter role postgres password '${password}'\n`,
  )
  if (exitCode === 0) return
  throw testkitError(
    'TESTKIT_DATA_DIR',
    output.includes('postmaster.pid')
      ? `Another server runs on ${data}; close that one first, or name another dataDir.`
      : `PostgreSQL cannot use ${data}, see what it said:\n${output}`,
  )
}

/**
 * A server under the watchdog.
 *
 * States: stopped, running, frozen (a flavour of running), closed. `PostgresServer` lets one operation run at a time.
 * The port is chosen at the first start and kept by all later ones.
 */
class EmbeddedServer implements ServerProvider {
  readonly #host: Host
  readonly #binaries: Binaries
  readonly #cluster: Cluster
  readonly #keepsData: boolean
  readonly #logFile: string
  #port: number | undefined
  #service: Service | undefined

  constructor(host: Host, binaries: Binaries, cluster: Cluster, keepsData: boolean) {
    this.#host = host
    this.#binaries = binaries
    this.#cluster = cluster
    this.#keepsData = keepsData
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
    await how(service)
    await service.exited
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
