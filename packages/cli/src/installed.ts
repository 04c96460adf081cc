import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { MigrationSet } from '@howdah/core'
import { cliError } from './errors.js'

/** Where each package keeps its migrations, in the order they are applied. */
const PACKAGES = [
  { name: '@howdah/core', exported: 'coreMigrations' },
  { name: '@howdah/cache', exported: 'migrations' },
  { name: '@howdah/queue', exported: 'migrations' },
  { name: '@howdah/pubsub', exported: 'migrations' },
  { name: '@howdah/search', exported: 'migrations' },
  { name: '@howdah/session', exported: 'migrations' },
] as const

/** Packages the command works with where they are installed, by their short names. Types alone: nothing of them is loaded before it is needed. */
export interface Installable {
  readonly cache: typeof import('@howdah/cache')
  readonly pubsub: typeof import('@howdah/pubsub')
  readonly queue: typeof import('@howdah/queue')
  readonly session: typeof import('@howdah/session')
  readonly testkit: typeof import('@howdah/testkit')
}

/**
 * Answers the migrations of the Howdah packages that are installed, beside this package or in the folder of the process. A package
 * that keeps no tables has none.
 *
 * @example
 * ```ts
 * import { installedMigrations } from '@howdah/cli'
 * import { migrationSql } from '@howdah/core'
 *
 * const script = migrationSql(await installedMigrations(), { schema: 'app_howdah' })
 * ```
 */
export async function installedMigrations(): Promise<readonly MigrationSet[]> {
  const sets = await Promise.all(
    PACKAGES.map(async ({ name, exported }) => (await load(name))?.[exported]),
  )
  return sets.filter(isMigrationSet)
}

/** Answers a package; `undefined` where it is not installed. */
export async function installed<Name extends keyof Installable>(
  name: Name,
): Promise<Installable[Name] | undefined> {
  return (await load(`@howdah/${name}`)) as Installable[Name] | undefined
}

/** @throws {@link HowdahError} CLI_NOT_INSTALLED */
export async function needed<Name extends keyof Installable>(
  name: Name,
): Promise<Installable[Name]> {
  const found = await installed(name)
  if (found !== undefined) return found
  const flag = name === 'testkit' ? '--save-dev ' : ''
  throw cliError(
    'CLI_NOT_INSTALLED',
    `This command needs @howdah/${name}, which is installed neither beside @howdah/cli nor in this folder. Run: npm install ${flag}@howdah/${name}`,
  )
}

type Module = Readonly<Record<string, unknown>>

async function load(name: string): Promise<Module | undefined> {
  try {
    return (await import(name)) as Module
  } catch (error) {
    if (!isAbsent(error, name)) throw error
  }
  // Run by npx, this package lies in a folder of npm's, and the packages in the project.
  const path = resolveInProject(name)
  return path === undefined ? undefined : ((await import(pathToFileURL(path).href)) as Module)
}

function resolveInProject(name: string): string | undefined {
  try {
    return createRequire(join(process.cwd(), 'package.json')).resolve(name)
  } catch (error) {
    if (isAbsent(error, name)) return undefined
    throw error
  }
}

/** Tells a package that is not installed from one that is and lacks something itself. */
function isAbsent(error: unknown, name: string): boolean {
  const { code, message } = error as { code?: unknown; message?: unknown }
  const missing = code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND'
  return missing && String(message).includes(`'${name}'`)
}

function isMigrationSet(value: unknown): value is MigrationSet {
  const set = value as Partial<MigrationSet> | null | undefined
  return typeof set?.package === 'string' && Array.isArray(set.migrations)
}
