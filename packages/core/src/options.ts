import { HowdahError } from './errors.js'
import {
  type HubOptions,
  type ResolvedHubOptions,
  resolveHubOptions,
  sameHubOptions,
} from './hub/hub-options.js'
import { ident } from './ident.js'

/** How {@link Database.from} treats one database. */
export interface DatabaseOptions {
  /** Schema that holds everything Howdah keeps. @defaultValue `'howdah'` */
  readonly schema?: string | undefined
  /**
   * `'auto'` brings each package's tables up to date before its first use. `'manual'` only checks, and fails with the command
   * to run.
   *
   * @defaultValue `'auto'`
   */
  readonly migrate?: 'auto' | 'manual' | undefined
  /**
   * Where the one `LISTEN` connection of the process goes: a connection string that reaches the server directly, for a pool
   * behind PgBouncer in transaction mode. `false` never listens and polls instead.
   *
   * @defaultValue where the pool points
   */
  readonly listen?: string | false | undefined
  /** Prepares statements by name. Switch it off for poolers that lose them. @defaultValue `true` */
  readonly prepare?: boolean | undefined
  /** How the `LISTEN` connection is watched. The defaults suit almost everyone. */
  readonly hub?: HubOptions | undefined
}

/** {@link DatabaseOptions} with every default filled in. */
export interface ResolvedDatabaseOptions {
  readonly schema: string
  readonly migrate: 'auto' | 'manual'
  readonly listen: string | false | undefined
  readonly prepare: boolean
  readonly hub: ResolvedHubOptions
}

/** @throws {@link HowdahError} CORE_INVALID_OPTION, CORE_INVALID_NAME, CORE_INVALID_DURATION */
export function resolveDatabaseOptions(options: DatabaseOptions): ResolvedDatabaseOptions {
  const { schema = 'howdah', migrate = 'auto', listen, prepare = true } = options
  ident(schema)
  if (migrate !== 'auto' && migrate !== 'manual') {
    throw invalid("migrate must be 'auto' or 'manual'.")
  }
  if (listen !== undefined && listen !== false && typeof listen !== 'string') {
    throw invalid('listen must be a connection string, or false to poll.')
  }
  if (typeof prepare !== 'boolean') throw invalid('prepare must be true or false.')
  const hub = resolveHubOptions(options.hub)
  return Object.freeze({ schema, migrate, listen, prepare, hub })
}

/** The first option that was given and differs from what the shared database was made with. */
export function conflictingOption(
  made: ResolvedDatabaseOptions,
  asked: DatabaseOptions,
): keyof DatabaseOptions | undefined {
  const names = ['schema', 'migrate', 'listen', 'prepare'] as const
  if (asked.hub !== undefined && !sameHubOptions(made.hub, asked.hub)) return 'hub'
  return names.find((name) => asked[name] !== undefined && asked[name] !== made[name])
}

function invalid(message: string): HowdahError {
  return new HowdahError('CORE_INVALID_OPTION', message)
}
