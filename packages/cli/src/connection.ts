import { Database } from '@howdah/core'
import type { Command } from 'commander'
import pg from 'pg'
import { cliError } from './errors.js'

/** Where the command works. */
export interface ConnectionOptions {
  readonly schema: string
  readonly url?: string
}

/** What every command that asks the database takes. */
export interface CommonOptions extends ConnectionOptions {
  readonly json?: boolean
}

/** Adds the options of {@link CommonOptions}. */
export function common(command: Command): Command {
  return command
    .option('--schema <name>', 'schema that holds the tables', 'howdah')
    .option('--url <postgres://...>', 'the database; DATABASE_URL where it is not given')
    .option('--json', 'print one line of JSON')
}

/** How {@link withDatabase} connects. */
export interface Connecting {
  /** Connections of the pool. @defaultValue `1` */
  readonly max?: number
  /** Where the hub listens. */
  readonly listen?: string | undefined
  /** How long to wait for the answer to a statement, in milliseconds. @defaultValue without end */
  readonly answerMs?: number
}

/** Runs `work` on the database that the options name, and closes what it opened. */
export async function withDatabase<T>(
  { schema, url = process.env['DATABASE_URL'] }: ConnectionOptions,
  work: (db: Database, pool: pg.Pool) => Promise<T>,
  { max = 1, listen, answerMs }: Connecting = {},
): Promise<T> {
  if (url === undefined || url === '') {
    throw cliError('CLI_INVALID_OPTION', 'Name the database with --url, or set DATABASE_URL.')
  }
  const pool = new pg.Pool({
    connectionString: checkUrl(url),
    max,
    connectionTimeoutMillis: 10_000,
    application_name: 'howdah-cli',
    query_timeout: answerMs,
  })
  // The query under way reports a lost connection; without a listener the process would end before it does.
  pool.on('error', () => {})
  try {
    // Each statement runs once or a few times, and a pooler may lose the names of prepared ones.
    await using db = Database.from(pool, { schema, migrate: 'manual', prepare: false, listen })
    return await work(db, pool)
  } finally {
    await pool.end()
  }
}

/** @throws {@link HowdahError} CLI_INVALID_OPTION; the text may hold a password, so it is not repeated */
export function checkUrl(url: string): string {
  if (/^postgres(ql)?:\/\//.test(url) && URL.canParse(url)) return url
  throw cliError('CLI_INVALID_OPTION', 'The URL of the database must begin with postgres://.')
}
