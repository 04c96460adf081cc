import { sqlState } from '@howdah/core'
import type pg from 'pg'

/** What lies between us and the server. */
export interface Pooling {
  /**
   * `direct`: nothing. `transaction`: a pooler that lends a server connection for a transaction. `statement`: for a statement alone.
   * `session`: a pooler that was not seen to change the server connection of a session.
   */
  readonly mode: 'direct' | 'session' | 'transaction' | 'statement'
  /** Whether a prepared statement was still there when it was asked for by name again. */
  readonly keepsPrepared: boolean
}

/** One round proves nothing where other clients take the free connections. */
const ROUNDS = 5
const PREPARED = {
  name: 'howdah.doctor.prepared',
  text: 'select pg_backend_pid() as pid, $1::int as n',
}

/**
 * Finds out without a setting or a lock that could stay behind on a connection of others: a pooler tells process ids of its own making, and in
 * transaction mode two of our sessions meet on one server connection.
 */
export async function recognisePooling(pool: pg.Pool): Promise<Pooling> {
  const first = await pool.connect()
  const second = await pool.connect()
  let broken = true
  try {
    const { processID } = first as unknown as { readonly processID?: number | null }
    if ((await backendOf(first)) === processID) {
      broken = false
      return { mode: 'direct', keepsPrepared: true }
    }
    const mode = await modeOf(first, second)
    // It has closed the session that began a transaction.
    if (mode === 'statement') return { mode, keepsPrepared: false }
    const kept = await keepsPrepared(first, second)
    broken = false
    return { mode, keepsPrepared: kept }
  } finally {
    first.release(broken)
    second.release(broken)
  }
}

async function modeOf(first: pg.PoolClient, second: pg.PoolClient): Promise<Pooling['mode']> {
  for (let round = 0; round < ROUNDS; round++) {
    const before = await backendOf(first)
    try {
      await second.query('begin')
    } catch (error) {
      // PgBouncer in statement mode refuses transactions.
      if (sqlState(error) === undefined) throw error
      return 'statement'
    }
    try {
      const meanwhile = await backendOf(second)
      if (meanwhile === before || (await backendOf(first)) !== before) return 'transaction'
    } finally {
      await second.query('rollback')
    }
  }
  return 'session'
}

/** Prepares on one server connection, has the other session take it, and asks by name again. */
async function keepsPrepared(first: pg.PoolClient, second: pg.PoolClient): Promise<boolean> {
  try {
    await first.query({ ...PREPARED, values: [1] })
    await second.query('begin')
    try {
      await backendOf(second)
      await first.query({ ...PREPARED, values: [2] })
    } finally {
      await second.query('rollback')
    }
    await second.query({ ...PREPARED, values: [3] })
    return true
  } catch (error) {
    // invalid_sql_statement_name, duplicate_prepared_statement
    if (['26000', '42P05'].includes(sqlState(error) ?? '')) return false
    throw error
  }
}

async function backendOf(client: pg.PoolClient): Promise<number> {
  const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid')
  return rows[0]?.pid as number
}
