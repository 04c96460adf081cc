import pg from 'pg'
import { testkitError } from '../errors.js'
import type { DatabaseRole } from '../postgres/options.js'

/** Runs `work` on one connection of its own. */
export async function withClient<T>(
  url: string,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const client = new pg.Client({ connectionString: url, application_name: 'howdah-testkit' })
  // The server may be killed while we are connected; the query under way reports that.
  client.on('error', () => {})
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end().catch(() => {})
  }
}

/** The connection string with another database in it. */
export function withDatabase(url: string, name: string): string {
  const changed = new URL(url)
  // `pg` reads the path with decodeURI(), which leaves escaped delimiters as they are; so none may be escaped.
  changed.pathname = `/${encodeURI(name)}`
  return changed.href
}

/** The connection string with another role in it. */
export function withRole(url: string, { name, password }: DatabaseRole): string {
  const changed = new URL(url)
  changed.username = encodeURIComponent(name)
  changed.password = encodeURIComponent(password)
  return changed.href
}

/** Quotes the name of a role. */
export function quoteRole(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** Checks and quotes the name of a database. */
export function quoteName(name: string): string {
  if (name === '' || /[\0?#]/.test(name) || Buffer.byteLength(name) > 63) {
    throw testkitError(
      'TESTKIT_INVALID_OPTION',
      'The name of a database must be 1 to 63 bytes of UTF-8 without NUL, and without the ? and # that pg cannot read in a connection string.',
    )
  }
  return `"${name.replaceAll('"', '""')}"`
}

/** A session as `pg_stat_activity` shows it. */
export interface Session {
  readonly pid: number
  readonly applicationName: string
  readonly state: string
  /** The last statement, its beginning. */
  readonly query: string
}

/** Lists the client sessions of one database, without the one that asks. */
export async function sessionsOf(client: pg.Client, database: string): Promise<Session[]> {
  const { rows } = await client.query<Session>(
    `select pid, application_name as "applicationName", coalesce(state, '') as state, left(query, 200) as query
     from pg_catalog.pg_stat_activity
     where datname = $1::text and pid <> pg_backend_pid() and backend_type = 'client backend'
     order by pid`,
    [database],
  )
  return rows
}

/** Which sessions {@link PostgresServer.terminateBackends} ends; all conditions must hold. */
export interface BackendFilter {
  /** Sessions with exactly this `application_name`. */
  readonly applicationName?: string | undefined
  /** Sessions whose last statement was a LISTEN; PostgreSQL shows no more than that of other sessions. */
  readonly listening?: boolean | undefined
  /** Sessions of this database. */
  readonly database?: string | undefined
}

/** Ends the sessions that match, waits until they are gone, and returns how many there were. */
export async function terminateBackends(url: string, filter: BackendFilter): Promise<number> {
  return await withClient(url, async (client) => {
    const { rows } = await client.query<{ pid: number }>(
      // Materialised, or the planner may call the function for sessions the conditions leave out, such as our own.
      `with chosen as materialized (
         select pid from pg_catalog.pg_stat_activity
         where pid <> pg_backend_pid() and backend_type = 'client backend'
           and ($1::text is null or application_name = $1)
           and ($2::text is null or datname = $2)
           and (not $3::boolean or query ~* '^\\s*listen\\M')
       )
       select pid from chosen where pg_terminate_backend(pid)`,
      [filter.applicationName ?? null, filter.database ?? null, filter.listening ?? false],
    )
    const pids = rows.map((row) => row.pid)
    for (;;) {
      const { rowCount } = await client.query(
        'select from pg_catalog.pg_stat_activity where pid = any($1::integer[])',
        [pids],
      )
      if (rowCount === 0) return pids.length
    }
  })
}
