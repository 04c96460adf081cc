import { Sessions, type SessionsOptions } from '@howdah/session'
import { type TestDatabase, testDatabase } from '@howdah/testkit'
import type { Pool } from 'pg'
import { afterAll, afterEach, beforeAll } from 'vitest'

// biome-ignore lint/suspicious/noExplicitAny: tests put anything into a session
export type Anything = Record<string, any>

/** The database of one test file, empty before each test, and the sessions that its tests open. */
export class Bench {
  database!: TestDatabase
  pool!: Pool
  readonly #open: Sessions<Anything>[] = []

  constructor() {
    beforeAll(async () => {
      this.database = await testDatabase()
      this.pool = this.database.pool()
    })
    afterEach(async () => {
      await Promise.all(this.#open.splice(0).map((sessions) => sessions.close()))
      await this.pool.query('delete from howdah.session')
    })
    afterAll(() => this.database.close())
  }

  /** Sessions that are closed after the test and prune only when told to. */
  sessions(options: Partial<SessionsOptions<Anything>> = {}): Sessions<Anything> {
    const made = new Sessions<Anything>({ pool: this.pool, pruneInterval: false, ...options })
    this.#open.push(made)
    return made
  }

  /** The same by connections of its own, as another process would have them. */
  elsewhere(options: Partial<SessionsOptions<Anything>> = {}): Sessions<Anything> {
    return this.sessions({ pool: this.database.pool(), ...options })
  }

  async rows<Row extends Anything>(
    text = 'select * from howdah.session',
    values: unknown[] = [],
  ): Promise<Row[]> {
    return (await this.pool.query(text, values)).rows as Row[]
  }

  /** Calls of this file that wait for a lock; `pg_locks` would show those of other databases too. */
  waiting(): Promise<Anything[]> {
    return this.rows(
      `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
    )
  }

  /** Lets the database's clock run on for all sessions, without waiting. */
  async age(minutes: number): Promise<void> {
    await this.pool.query(
      `update howdah.session set created_at = created_at - d, seen_at = seen_at - d, expires_at = expires_at - d,
         expires_hour = floor(extract(epoch from expires_at - d) / 3600)
       from (select $1 * interval '1 minute' as d) d`,
      [minutes],
    )
  }
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}

/** The session, which must be there. */
export async function loaded(sessions: Sessions<Anything>, id: string) {
  const session = await sessions.load(id)
  if (session === undefined) throw new Error('The session is not there.')
  return session
}
