import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type PostgresMajor,
  type PostgresOptions,
  type PostgresServer,
  startPostgres,
} from '@howdah/testkit'
import type { TestProject } from 'vitest/node'
import { APPLICATION, prepareLeastPrivilege, type TestRole } from './least-privilege.js'
import { migrateAll } from './migrate-template.js'
import { collectNotTested, takeNotTested } from './not-tested.js'

declare module 'vitest' {
  interface ProvidedContext {
    /** The server of this run; tests take a database from `testDatabase()` instead. */
    readonly postgres: { readonly url: string; readonly major: number }
  }
}

let server: PostgresServer | undefined

/**
 * Starts one PostgreSQL for the whole run. `HOWDAH_PG_MAJOR` selects its version, `HOWDAH_TEST_URL` names a server to
 * use instead. With `HOWDAH_TEST_ROLE`, `least` or `least-create`, tests connect as the role of docs/security.md. `DATABASE_URL` is never looked at: tests must not touch what an application uses.
 */
export async function setup(project: TestProject): Promise<void> {
  const { HOWDAH_PG_MAJOR, HOWDAH_TEST_ROLE, HOWDAH_TEST_URL } = process.env
  const options: PostgresOptions = {
    ...(HOWDAH_TEST_ROLE ? leastPrivilege(HOWDAH_TEST_ROLE) : { template: migrateAll }),
    ...(HOWDAH_TEST_URL ? { provider: 'url', url: HOWDAH_TEST_URL } : {}),
    ...(HOWDAH_PG_MAJOR ? { major: Number(HOWDAH_PG_MAJOR) as PostgresMajor } : {}),
  }
  server = await startPostgres(options)
  server.share()
  project.provide('postgres', { url: server.url, major: server.major })
  collectNotTested(join(tmpdir(), `howdah-not-tested-${process.pid}`))
}

function leastPrivilege(role: string): PostgresOptions {
  if (role !== 'least' && role !== 'least-create') {
    throw new Error(`HOWDAH_TEST_ROLE must be least or least-create, not ${role}.`)
  }
  return {
    template: (url) => prepareLeastPrivilege(url, role satisfies TestRole),
    role: APPLICATION,
  }
}

/** Stops it, and says what this machine could not test. */
export async function teardown(): Promise<void> {
  await server?.close()
  const notes = takeNotTested()
  if (notes.length > 0) console.log(`\nNot tested on this machine:\n- ${notes.join('\n- ')}\n`)
}
