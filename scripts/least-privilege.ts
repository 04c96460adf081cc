/**
 * The roles of docs/security.md in a test server, by the SQL that stands there, so that the page is what the suites run under.
 */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { DatabaseRole } from '@howdah/testkit'
import pg from 'pg'
import { migrateAll } from './migrate-template.js'

/** As which role tests run: the application's, or the application's that may also create in Howdah's schema. */
export type TestRole = 'least' | 'least-create'

/** The application's role on the page. */
export const APPLICATION: DatabaseRole = { name: 'app', password: 'app' }
/** The role that owns the schema there. */
export const OWNER: DatabaseRole = { name: 'howdah_owner', password: 'howdah_owner' }

const PAGE = fileURLToPath(new URL('../docs/security.md', import.meta.url))

/** The SQL that follows a heading of the page, for a database of any name. */
export function sqlOf(heading: string, database: string): string {
  const [, section = ''] = readFileSync(PAGE, 'utf8').split(`\n### ${heading}\n`)
  const sql = /^[^#]*?```sql\n([\s\S]*?)```/.exec(section)?.[1]
  if (sql === undefined) throw new Error(`docs/security.md has no SQL under "${heading}".`)
  return sql.replaceAll(/\bdatabase shop\b/g, `database ${pg.escapeIdentifier(database)}`)
}

/** Prepares a database as the page says: roles by whoever may make them, tables by their owner, rights after that. */
export async function prepareLeastPrivilege(url: string, role: TestRole = 'least'): Promise<void> {
  const database = decodeURIComponent(new URL(url).pathname.slice(1))
  const owner = as(url, OWNER)
  await run(url, sqlOf('Roles', database))
  for (const { name, password } of [OWNER, APPLICATION]) {
    await run(url, `alter role ${name} password '${password}'`)
  }
  await migrateAll(owner)
  await run(owner, sqlOf('Rights of the application', database))
  await run(owner, sqlOf('What search indexes make', database))
  if (role === 'least-create') await run(owner, sqlOf('An application that creates', database))
}

/** The connection string of a database for another role. */
export function as(url: string, { name, password }: DatabaseRole): string {
  const changed = new URL(url)
  changed.username = name
  changed.password = password
  return changed.href
}

async function run(url: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    await client.query(sql)
  } finally {
    await client.end()
  }
}
