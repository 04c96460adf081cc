import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { delimiter, join } from 'node:path'
import { setTimeout as later } from 'node:timers/promises'
import { testkitError } from './errors.js'
import { assertUrl } from './postgres/options.js'
import { freePort } from './process/free-port.js'
import { temporaryFolder } from './process/temp-folder.js'
import { unprivilegedUser } from './process/user.js'
import { type Service, Watchdog } from './process/watchdog.js'

const START_TIMEOUT_MS = 10_000

/** What {@link startPgBouncer} starts. */
export interface PgBouncerOptions {
  /** Connection string of the server behind the pooler. */
  readonly url: string
  /** When a server connection goes back to the pool: after each transaction, or with its client. */
  readonly poolMode: 'transaction' | 'session'
  /** Further settings of the `[pgbouncer]` section by name. */
  readonly settings?: Readonly<Record<string, string | number>> | undefined
}

/** A running PgBouncer; it ends with this process at the latest. */
export interface PgBouncer extends AsyncDisposable {
  /** The given connection string with the pooler in place of the server. */
  readonly url: string
  /** The port it listens on, on 127.0.0.1. */
  readonly port: number
  /** Ends it and removes what it made. */
  close(): Promise<void>
}

/** Returns the path of the PgBouncer program on this machine; `undefined` where there is none. */
export function findPgBouncer(): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter(Boolean)
  return [...folders, '/usr/sbin', '/usr/local/sbin', '/opt/homebrew/bin']
    .map((folder) => join(folder, 'pgbouncer'))
    .find((path) => existsSync(path))
}

/**
 * Starts PgBouncer in front of a server, with the machine's own program (Debian: `apt install pgbouncer`).
 *
 * @throws {@link HowdahError} TESTKIT_NO_BINARIES when there is no PgBouncer; ask {@link findPgBouncer} first.
 * @throws {@link HowdahError} TESTKIT_INVALID_OPTION when an option is not understood.
 * @throws {@link HowdahError} TESTKIT_START_FAILED when it did not start; the message holds its log.
 *
 * @example
 * ```ts
 * import { startPgBouncer, startPostgres } from '@howdah/testkit'
 * import { Pool } from 'pg'
 *
 * const server = await startPostgres()
 * const bouncer = await startPgBouncer({ url: server.url, poolMode: 'transaction' })
 * const pool = new Pool({ connectionString: bouncer.url })
 * ```
 */
export async function startPgBouncer(options: PgBouncerOptions): Promise<PgBouncer> {
  const target = validate(options)
  const program = findPgBouncer()
  if (program === undefined) {
    throw testkitError(
      'TESTKIT_NO_BINARIES',
      'There is no pgbouncer on this machine; install it (Debian: apt install pgbouncer) and see that it is on the PATH.',
    )
  }
  const watchdog = Watchdog.start()
  try {
    const port = await launch(watchdog, program, target, options)
    const pooled = new URL(target)
    pooled.hostname = '127.0.0.1'
    pooled.port = String(port)
    const close = (): Promise<void> => watchdog.end()
    return { url: pooled.href, port, close, [Symbol.asyncDispose]: close }
  } catch (error) {
    await watchdog.end()
    throw error
  }
}

function validate(options: PgBouncerOptions): URL {
  const target = assertUrl(options.url)
  const { poolMode, settings = {} } = options
  const lines = Object.entries(settings)
  const sound =
    (poolMode === 'transaction' || poolMode === 'session') &&
    lines.every(([name, value]) => /^[a-z_]+$/.test(name) && !/[\0\r\n]/.test(String(value)))
  if (sound) return target
  throw testkitError(
    'TESTKIT_INVALID_OPTION',
    "poolMode must be 'transaction' or 'session', and settings names of PgBouncer with one-line values.",
  )
}

async function launch(
  watchdog: Watchdog,
  program: string,
  target: URL,
  options: PgBouncerOptions,
): Promise<number> {
  const user = unprivilegedUser()
  const folder = await temporaryFolder(watchdog, user)
  const logFile = join(folder, 'pgbouncer.log')
  const configFile = join(folder, 'pgbouncer.ini')
  const usersFile = join(folder, 'users.txt')
  const quoted = [target.username || 'postgres', target.password].map(
    (part) => `"${decodeURIComponent(part).replaceAll('"', '""')}"`,
  )
  writeFileSync(usersFile, `${quoted.join(' ')}\n`, { mode: 0o644 })
  for (let attempt = 1; ; attempt++) {
    const port = await freePort()
    writeFileSync(configFile, configuration(target, port, usersFile, options), { mode: 0o644 })
    const service = await watchdog.start({
      file: program,
      args: [configFile],
      env: { PATH: process.env['PATH'] ?? '' },
      cwd: folder,
      logFile,
      endSignal: 'SIGKILL',
      ...user,
    })
    if (await isUp(service, port)) return port
    const log = readFileSync(logFile, 'utf8').slice(-4_000)
    if (attempt === 5 || !log.includes('in use')) {
      throw testkitError('TESTKIT_START_FAILED', `PgBouncer did not start: ${log}`)
    }
  }
}

function configuration(
  target: URL,
  port: number,
  usersFile: string,
  options: PgBouncerOptions,
): string {
  const settings = {
    listen_addr: '127.0.0.1',
    listen_port: port,
    unix_socket_dir: '',
    auth_type: 'scram-sha-256',
    auth_file: usersFile,
    admin_users: decodeURIComponent(target.username || 'postgres'),
    pool_mode: options.poolMode,
    max_client_conn: 200,
    ignore_startup_parameters: 'extra_float_digits',
    ...options.settings,
  }
  const lines = Object.entries(settings).map(([name, value]) => `${name} = ${value}`)
  const server = `* = host=${target.hostname} port=${target.port || 5432}`
  return ['[databases]', server, '[pgbouncer]', ...lines, ''].join('\n')
}

async function isUp(service: Service, port: number): Promise<boolean> {
  let ended = false
  void service.exited.then(() => {
    ended = true
  })
  const deadline = performance.now() + START_TIMEOUT_MS
  while (!ended && performance.now() < deadline) {
    if (await answers(port)) return !ended
    await later(10)
  }
  if (!ended) await service.kill()
  return false
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port })
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })
}
