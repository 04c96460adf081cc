import { coreMigrations, type Database, isHowdahError, sqlState } from '@howdah/core'
import { cacheError } from './errors.js'
import { migrations } from './migrations/index.js'
import type { ResolvedCacheOptions } from './options.js'
import { openNamespace } from './sql/namespace.js'

/** SQLSTATE of the function that opens a namespace, where it is kept in the other table. */
const OTHER_DURABILITY = '55000'

/**
 * Brings the tables up to date and makes the namespace known.
 *
 * @throws {@link HowdahError} CACHE_DURABILITY_CONFLICT, and those of the migrator
 */
export async function open(db: Database, options: ResolvedCacheOptions): Promise<void> {
  const { namespace, logged } = options
  await db.migrator.ensure(coreMigrations)
  await db.migrator.ensure(migrations)
  try {
    await db.query(openNamespace(db.schema, namespace, logged))
  } catch (error) {
    if (isHowdahError(error) || sqlState(error) !== OTHER_DURABILITY) throw error
    throw cacheError(
      'CACHE_DURABILITY_CONFLICT',
      `The namespace '${namespace}' is kept ${logged ? 'unlogged' : 'logged'} since its first use. Give this cache the same durability, or another namespace.`,
      error,
    )
  }
}
