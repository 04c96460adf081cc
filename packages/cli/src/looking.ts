import { coreMigrations, type Database, type MigrationSet } from '@howdah/core'
import { type CommonOptions, type ConnectionOptions, withDatabase } from './connection.js'
import { cliError } from './errors.js'
import { type Installable, needed } from './installed.js'

/** Options of what changes something. */
export interface ActOptions extends CommonOptions {
  readonly yes?: boolean
}

type Keeping = Exclude<keyof Installable, 'testkit'>

/**
 * Runs `work` with a package and the database that has its tables.
 *
 * @throws {@link HowdahError} CLI_NOT_INSTALLED, and CORE_MIGRATION_REQUIRED where the tables are not there
 */
export async function withPackage<Name extends Keeping, T>(
  name: Name,
  options: ConnectionOptions,
  work: (module: Installable[Name], db: Database) => Promise<T>,
): Promise<T> {
  const module = await needed(name)
  const { migrations } = module as { readonly migrations: MigrationSet }
  return withDatabase(options, async (db) => {
    await db.migrator.ensure(coreMigrations)
    await db.migrator.ensure(migrations)
    return work(module, db)
  })
}

/** The error for what was named and is not there. */
export function notFound(what: string, where: string): Error {
  return cliError('CLI_NOT_FOUND', `There is no ${what}. Run ${where} to see what there is.`)
}
