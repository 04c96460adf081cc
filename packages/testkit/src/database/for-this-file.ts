import type { PostgresServer } from '../postgres/server.js'
import { createTestDatabase } from '../postgres/server.js'
import { startPostgres } from '../postgres/start.js'
import { sharedServer } from './shared-server.js'
import type { TestDatabase } from './test-database.js'

/** The server of a process that was given none, and how many databases use it. */
let own: { readonly server: Promise<PostgresServer>; users: number } | undefined

/**
 * Makes a database for one test file, under any test runner: on the server that was shared with this run
 * (`PostgresServer.share()`), or else on one started for this process, which goes with its last database.
 *
 * @example
 * ```ts
 * import { after, before, test } from 'node:test'
 * import { testDatabase, type TestDatabase } from '@howdah/testkit'
 *
 * let db: TestDatabase
 * before(async () => {
 *   db = await testDatabase()
 * })
 * after(() => db.close())
 *
 * test('PostgreSQL answers', async () => {
 *   await db.pool().query('select 1')
 * })
 * ```
 */
export async function testDatabase(): Promise<TestDatabase> {
  const shared = sharedServer()
  if (shared !== undefined) return await createTestDatabase(shared)
  own ??= { server: startPostgres(), users: 0 }
  const mine = own
  mine.users++
  const release = async (): Promise<void> => {
    if (--mine.users > 0) return
    if (own === mine) own = undefined
    await (await mine.server).close()
  }
  try {
    const server = await mine.server
    return await createTestDatabase({ url: server.url, major: server.major }, undefined, release)
  } catch (error) {
    await release().catch(() => {})
    throw error
  }
}
