import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type PostgresMajor, type PostgresOptions, startPostgres } from '@howdah/testkit'
import type { TestProject } from 'vitest/node'
import { migrateAll } from './migrate-template.js'
import { collectNotTested, takeNotTested } from './not-tested.js'

declare module 'vitest' {
  interface ProvidedContext {
    /** The server of this run; tests take a database from `testDatabase()` instead. */
    readonly postgres: { readonly url: string; readonly major: number }
  }
}

/**
 * Starts one PostgreSQL for the whole run. `HOWDAH_PG_MAJOR` selects its version, `HOWDAH_TEST_URL` names a server to
 * use instead. `DATABASE_URL` is never looked at: tests must not touch what an application uses.
 */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const { HOWDAH_PG_MAJOR, HOWDAH_TEST_URL } = process.env
  const options: PostgresOptions = {
    template: migrateAll,
    ...(HOWDAH_TEST_URL ? { provider: 'url', url: HOWDAH_TEST_URL } : {}),
    ...(HOWDAH_PG_MAJOR ? { major: Number(HOWDAH_PG_MAJOR) as PostgresMajor } : {}),
  }
  const server = await startPostgres(options)
  server.share()
  project.provide('postgres', { url: server.url, major: server.major })
  collectNotTested(join(tmpdir(), `howdah-not-tested-${process.pid}`))
  return async () => {
    await server.close()
    const notes = takeNotTested()
    if (notes.length > 0) console.log(`\nNot tested on this machine:\n- ${notes.join('\n- ')}\n`)
  }
}
