import { migrations as cache } from '@howdah/cache'
import { coreMigrations, Database } from '@howdah/core'
import { migrations as pubsub } from '@howdah/pubsub'
import { migrations as queue } from '@howdah/queue'
import { migrations as search } from '@howdah/search'
import { migrations as session } from '@howdah/session'
import pg from 'pg'

/**
 * Prepares the template database that every test database is cloned from, with the tables of all packages. A test that is about
 * migrating uses a schema of its own.
 */
export async function migrateAll(url: string): Promise<void> {
  const pool = new pg.Pool({ connectionString: url, max: 1 })
  const db = Database.from(pool)
  try {
    await db.migrator.up([coreMigrations, cache, pubsub, queue, search, session])
  } finally {
    await db.close()
    await pool.end()
  }
}
