import { coreMigrations, type Database } from '@howdah/core'
import { migrations } from './migrations/index.js'

/** Makes sure of the tables before their first use: those of core first, whose functions ours call. */
export async function ensureTables({ migrator }: Pick<Database, 'migrator'>): Promise<void> {
  await migrator.ensure(coreMigrations)
  await migrator.ensure(migrations)
}
