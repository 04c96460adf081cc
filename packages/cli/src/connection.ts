import { Database } from '@howdah/core'
import pg from 'pg'
import { cliError } from './errors.js'

/** Where the command works. */
export interface ConnectionOptions {
  readonly schema: string
  readonly url?: string
}

/** Runs `work` on the database that the options name, and closes what it opened. */
export async function withDatabase<T>(
  { schema, url = process.env['DATABASE_URL'] }: ConnectionOptions,
  work: (db: Database) => Promise<T>,
): Promise<T> {
  if (url === undefined || url === '') {
    throw cliError('CLI_INVALID_OPTION', 'Name the database with --url, or set DATABASE_URL.')
  }
  // The text may hold a password, so it is not repeated.
  if (!/^postgres(ql)?:\/\//.test(url) || !URL.canParse(url)) {
    throw cliError('CLI_INVALID_OPTION', 'The URL of the database must begin with postgres://.')
  }
  const pool = new pg.Pool({
    connectionString: url,
    max: 1,
    connectionTimeoutMillis: 10_000,
    application_name: 'howdah-cli',
  })
  // The query under way reports a lost connection; without a listener the process would end before it does.
  pool.on('error', () => {})
  try {
    await using db = Database.from(pool, { schema, migrate: 'manual' })
    return await work(db)
  } finally {
    await pool.end()
  }
}
