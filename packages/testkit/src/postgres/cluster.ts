import { randomBytes } from 'node:crypto'
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs'
import { join, resolve } from 'node:path'
import { testkitError } from '../errors.js'
import type { Binaries } from './binaries.js'
import type { Host } from './host.js'
import type { ResolvedPostgresOptions } from './options.js'

/** The data of one server, ready to be served. */
export interface Cluster {
  readonly data: string
  readonly password: string
}

/** Makes the data, or takes over what is kept, and writes this start's password and settings into it. */
export async function prepareCluster(
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
  const options = [
    `--pgdata=${data}`,
    '--username=postgres',
    `--pwfile=${passwordFile}`,
    '--auth=scram-sha-256',
    '--locale=C',
    '--encoding=UTF8',
    '--no-sync',
    '--no-instructions',
  ]
  const { exitCode, output } = await host.run(binaries.initdb, options, { data })
  if (exitCode !== 0) {
    const hint = output.includes('user does not exist')
      ? 'PostgreSQL refuses users without a name; give this one a line in /etc/passwd.'
      : 'initdb failed, see what it said.'
    throw testkitError('TESTKIT_START_FAILED', `${hint}\n${output}`)
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
    { data, input: `alter role postgres password '${password}'\n` },
  )
  if (exitCode === 0) return
  throw testkitError(
    'TESTKIT_DATA_DIR',
    output.includes('postmaster.pid')
      ? `Another server runs on ${data}; close that one first, or name another dataDir.`
      : `PostgreSQL cannot use ${data}, see what it said:\n${output}`,
  )
}
