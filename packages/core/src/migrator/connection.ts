/**
 * The connection that migrations use.
 *
 * Transactions of the application may hold every connection of its pool while they wait for a migration, so migrations take
 * none of it where the library lets us open another.
 *
 * States: closed -> (first work) -> open -> (no more work, or an error) -> closed. Invariants:
 * - work runs one piece at a time, in order, so that a process migrating five packages opens one connection, not five;
 * - nothing stays open once the last piece of work has settled.
 */
import type { DirectConnection, Driver } from '../drivers/driver.js'
import { sqlState } from '../errors.js'
import type { Queryable } from '../queryable.js'
import type { Statement } from '../statement.js'

const TOO_MANY_CONNECTIONS = '53300'

/** Where a piece of work runs its statements. */
export interface MigrationSession {
  query<Row>(statement: Statement<Row>): Promise<Row[]>
  transaction<T>(fn: (connection: Queryable) => Promise<T>): Promise<T>
  close(): Promise<void>
}

/** Runs pieces of work one after another on a connection that lives as long as there is work. */
export class MigrationConnection {
  readonly #driver: Driver
  #session: MigrationSession | undefined
  #last: Promise<unknown> = Promise.resolve()
  #waiting = 0

  constructor(driver: Driver) {
    this.#driver = driver
  }

  /** Runs `work` once the work before it has settled. */
  run<T>(work: (session: MigrationSession) => Promise<T>): Promise<T> {
    this.#waiting++
    const turn = this.#last.then(() => this.#turn(work))
    this.#last = turn.catch(() => {})
    return turn
  }

  async #turn<T>(work: (session: MigrationSession) => Promise<T>): Promise<T> {
    let failed = true
    try {
      this.#session ??= await openSession(this.#driver)
      const result = await work(this.#session)
      failed = false
      return result
    } finally {
      // After an error nobody knows what state the connection is in.
      if (--this.#waiting === 0 || failed) {
        const session = this.#session
        this.#session = undefined
        await session?.close()
      }
    }
  }
}

async function openSession(driver: Driver): Promise<MigrationSession> {
  // PGlite has one connection, so statements between begin and commit are kept apart only by its own transactions.
  if (driver.kind === 'pglite') return pooled(driver)
  const connection = await connect(driver)
  return connection === undefined ? pooled(driver) : direct(connection)
}

async function connect(driver: Driver): Promise<DirectConnection | undefined> {
  try {
    return await driver.connect()
  } catch (error) {
    // A small server may have granted its last connection to the pool.
    if (sqlState(error) === TOO_MANY_CONNECTIONS) return undefined
    throw error
  }
}

function pooled(driver: Driver): MigrationSession {
  return {
    query: async <Row>(statement: Statement<Row>) =>
      (await driver.query(statement, false)) as Row[],
    transaction: (fn) => driver.transaction(fn),
    close: async () => {},
  }
}

function direct(connection: DirectConnection): MigrationSession {
  return {
    query: (statement) => runStatement(connection, statement),
    async transaction(fn) {
      await connection.query({ text: 'begin' })
      try {
        const result = await fn(connection)
        await connection.query({ text: 'commit' })
        return result
      } catch (error) {
        await connection.query({ text: 'rollback' }).catch(() => {})
        throw error
      }
    },
    close: () => connection.close(),
  }
}

/** Runs a statement unnamed: a migration runs once, and a pooler may lose the name. */
export async function runStatement<Row>(
  connection: Queryable,
  { text, values }: Statement<Row>,
): Promise<Row[]> {
  return (await connection.query({ text, values: [...values] })).rows as Row[]
}
