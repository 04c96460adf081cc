import { testkitError } from '../errors.js'

/** The major versions of PostgreSQL Howdah supports. */
export type PostgresMajor = 15 | 16 | 17 | 18

/** Where the server comes from. */
export type PostgresProvider = 'embedded' | 'testcontainers' | 'url'

/** What {@link startPostgres} starts. */
export interface PostgresOptions {
  /**
   * `embedded` runs real server binaries from the npm registry, `testcontainers` a container (needs
   * `@testcontainers/postgresql` and Docker), `url` uses a server that runs already.
   *
   * @defaultValue `'embedded'`
   */
  readonly provider?: PostgresProvider | undefined
  /** Major version to start. @defaultValue `18`, or that of the binaries in `HOWDAH_PG_BIN_DIR` */
  readonly major?: PostgresMajor | undefined
  /** Connection string of the server to use with the `url` provider; its role must be able to create databases. */
  readonly url?: string | undefined
  /** Server settings by their name in `postgresql.conf`. */
  readonly settings?: Readonly<Record<string, string | number | boolean>> | undefined
  /**
   * With `false`, a crash of the *machine* may lose data, and everything is faster; a crash of the server loses
   * nothing either way. With `true` the server keeps PostgreSQL's own defaults. @defaultValue `false`
   */
  readonly durable?: boolean | undefined
  /** Keeps the data in this folder, to be found there by the next start; by default data vanishes on close. */
  readonly dataDir?: string | undefined
  /** Port to serve on, of 127.0.0.1; with `embedded` only. @defaultValue one that is free */
  readonly port?: number | undefined
  /** Prepares the template that every database is cloned from; called once, with its connection string. */
  readonly template?: ((url: string) => Promise<void>) | undefined
  /**
   * Owns every database, and is who its connection string and pools connect as, so that tests run with the rights an application has. The
   * template may make it; {@link TestDatabase.adminUrl} stays that of the server's own role. @defaultValue the server's own role
   */
  readonly role?: DatabaseRole | undefined
}

/** A role that may log in. */
export interface DatabaseRole {
  readonly name: string
  readonly password: string
}

/** {@link PostgresOptions} after validation, with the defaults filled in. */
export interface ResolvedPostgresOptions extends PostgresOptions {
  readonly provider: PostgresProvider
  readonly settings: Readonly<Record<string, string>>
  readonly durable: boolean
}

const MAJORS: readonly number[] = [15, 16, 17, 18]
const PROVIDERS: readonly string[] = ['embedded', 'testcontainers', 'url']
const KNOWN: readonly string[] = [
  'provider',
  'major',
  'url',
  'settings',
  'durable',
  'dataDir',
  'port',
  'template',
  'role',
]

/** Validates the options of {@link startPostgres}. */
export function resolvePostgresOptions(options: PostgresOptions): ResolvedPostgresOptions {
  const unknown = Object.keys(options).find((key) => !KNOWN.includes(key))
  if (unknown !== undefined) throw invalid(`There is no option ${JSON.stringify(unknown)}`)
  const provider = options.provider ?? 'embedded'
  if (!PROVIDERS.includes(provider))
    throw invalid(`provider must be one of ${PROVIDERS.join(', ')}`)
  const { major, url, dataDir, template } = options
  if (major !== undefined && !MAJORS.includes(major)) {
    throw invalid(`major must be one of ${MAJORS.join(', ')}`)
  }
  if ((provider === 'url') !== (url !== undefined)) {
    throw invalid("provider 'url' and the option url go together; give both or neither")
  }
  if (url !== undefined) assertUrl(url)
  if (template !== undefined && typeof template !== 'function') {
    throw invalid('template must be a function that takes a connection string')
  }
  assertRole(options.role)
  if (dataDir !== undefined && (typeof dataDir !== 'string' || dataDir === '')) {
    throw invalid('dataDir must be the path of a folder')
  }
  if (provider !== 'embedded' && dataDir !== undefined) {
    throw invalid(`dataDir works with provider 'embedded' only, not with '${provider}'`)
  }
  const { port } = options
  if (port !== undefined && !(Number.isInteger(port) && port > 0 && port < 65_536)) {
    throw invalid('port must be a whole number from 1 to 65535')
  }
  if (provider !== 'embedded' && port !== undefined) {
    throw invalid(`port works with provider 'embedded' only, not with '${provider}'`)
  }
  const settings = resolveSettings(options.settings ?? {})
  if (provider === 'url' && (Object.keys(settings).length > 0 || options.durable !== undefined)) {
    throw invalid("settings and durable cannot change a server that runs already (provider 'url')")
  }
  return Object.freeze({ ...options, provider, settings, durable: options.durable ?? false })
}

function resolveSettings(
  settings: Readonly<Record<string, string | number | boolean>>,
): Readonly<Record<string, string>> {
  const resolved: Record<string, string> = {}
  for (const [name, value] of Object.entries(settings)) {
    if (!/^[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)?$/i.test(name)) {
      throw invalid(`${JSON.stringify(name)} is not the name of a server setting`)
    }
    if (!['string', 'number', 'boolean'].includes(typeof value) || /[\0\r\n]/.test(String(value))) {
      throw invalid(`The setting ${name} must be a number, a boolean or one line of text`)
    }
    resolved[name] = typeof value === 'boolean' ? (value ? 'on' : 'off') : String(value)
  }
  return Object.freeze(resolved)
}

function assertRole(role: DatabaseRole | undefined): void {
  if (role === undefined) return
  const { name, password } = role ?? {}
  if (typeof name !== 'string' || name === '' || typeof password !== 'string') {
    throw invalid('role must have a name and a password')
  }
}

/** Refuses what is not a connection string of PostgreSQL. */
export function assertUrl(url: string): URL {
  const parsed = URL.canParse(url) ? new URL(url) : undefined
  if (parsed === undefined || !/^postgres(ql)?:$/.test(parsed.protocol) || parsed.hostname === '') {
    throw invalid('url must look like postgres://user:password@host:5432/database')
  }
  return parsed
}

function invalid(sentence: string): Error {
  return testkitError('TESTKIT_INVALID_OPTION', `${sentence}.`)
}
