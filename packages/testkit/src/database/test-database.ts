import { setTimeout as later } from 'node:timers/promises'
import pg from 'pg'
import { testkitError } from '../errors.js'
import { quoteName, type Session, sessionsOf, withClient } from './admin.js'

/** How long `close()` waits for sessions to end on their own before it calls them leaked. */
const LEAK_GRACE_MS = 2_000

/**
 * A database of its own for one test file, cloned from the server's template.
 *
 * @example
 * ```ts
 * import { testDatabase } from '@howdah/testkit'
 *
 * const db = await testDatabase()
 * const pool = db.pool()
 * await pool.query('select 1')
 * await db.close()
 * ```
 */
export class TestDatabase {
  /** Its connection string. */
  readonly url: string
  /** Its connection string for the server's own role, which may do everything: the same as `url` unless the server has a `role`. */
  readonly adminUrl: string
  /** Its name on the server. */
  readonly name: string
  readonly #serverUrl: string
  readonly #onGone: () => Promise<void>
  readonly #pools = new Set<pg.Pool>()
  #gone: Promise<void> | undefined

  /** Made by `createDatabase()` and `testDatabase()`. @internal */
  constructor(init: {
    url: string
    adminUrl: string
    name: string
    serverUrl: string
    onGone: () => Promise<void>
  }) {
    this.url = init.url
    this.name = init.name
    this.adminUrl = init.adminUrl
    this.#serverUrl = init.serverUrl
    this.#onGone = init.onGone
  }

  /** Makes a pool on this database that {@link TestDatabase.close} ends. Lost connections do not crash the process. */
  pool(options: pg.PoolConfig = {}): pg.Pool {
    return this.#open(this.url, options)
  }

  /** The same as {@link TestDatabase.pool} for {@link TestDatabase.adminUrl}: for what the role of an application may not do. */
  adminPool(options: pg.PoolConfig = {}): pg.Pool {
    return this.#open(this.adminUrl, options)
  }

  /** Lists the sessions other than our own that are connected to this database now. */
  async sessions(): Promise<Session[]> {
    return await withClient(this.#serverUrl, (client) => sessionsOf(client, this.name))
  }

  /**
   * Ends the pools made by {@link TestDatabase.pool} and drops the database. The database is dropped in any case.
   *
   * @throws {@link HowdahError} TESTKIT_LEAK when connections of this database are still open after that: a pool that
   * was not ended, a client that was not released.
   */
  async close(): Promise<void> {
    if (this.#gone !== undefined) return await this.#gone
    const pools = await this.#endPools()
    const leaks = [...pools, ...(await this.#leakedSessions(pools.length > 0 ? 0 : LEAK_GRACE_MS))]
    await this.drop()
    if (leaks.length === 0) return
    throw testkitError(
      'TESTKIT_LEAK',
      `Connections were still open when the test database was closed; end what opened them first:\n${leaks.join('\n')}`,
    )
  }

  /** Drops the database with all its sessions, asking nothing. */
  drop(): Promise<void> {
    this.#gone ??= this.#drop()
    return this.#gone
  }

  /** The same as {@link TestDatabase.close}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #open(connectionString: string, options: pg.PoolConfig): pg.Pool {
    const pool = new pg.Pool({ ...options, connectionString })
    pool.on('error', () => {})
    // A client that is checked out reports to its borrower, who learns of the loss from the next query anyway.
    pool.on('connect', (client) => client.on('error', () => {}))
    this.#pools.add(pool)
    return pool
  }

  async #drop(): Promise<void> {
    try {
      await withClient(this.#serverUrl, (client) =>
        client.query(`drop database if exists ${quoteName(this.name)} with (force)`),
      )
    } finally {
      await this.#onGone()
      await this.#endPools()
    }
  }

  /** Ends every pool; a pool whose client was never released never ends, so waiting is bounded. */
  async #endPools(): Promise<string[]> {
    const pools = [...this.#pools].filter((pool) => !pool.ending)
    const leaks: string[] = []
    await Promise.all(
      pools.map(async (pool) => {
        const cancelled = new AbortController()
        const ended = pool.end().then(() => true)
        const waited = later(LEAK_GRACE_MS, false, { signal: cancelled.signal }).catch(() => false)
        if (await Promise.race([ended, waited])) cancelled.abort()
        else leaks.push(`- a pool with ${pool.totalCount} client(s) that were never released`)
      }),
    )
    return leaks
  }

  async #leakedSessions(graceMs: number): Promise<string[]> {
    return await withClient(this.#serverUrl, async (client) => {
      const deadline = performance.now() + graceMs
      for (;;) {
        const sessions = await sessionsOf(client, this.name)
        if (sessions.length === 0) return []
        if (performance.now() > deadline) return sessions.map(describe)
        await later(10)
      }
    })
  }
}

function describe(session: Session): string {
  return `- session ${session.pid} (application_name ${JSON.stringify(session.applicationName)}, ${session.state}): ${session.query}`
}
