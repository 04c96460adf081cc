import { setTimeout as later } from 'node:timers/promises'
import { sqlState, type Transaction } from '@howdah/core'
import { cacheError } from '../errors.js'
import { cancelQuery } from '../sql/materialized-cancel.js'
import { lockQuery } from '../sql/materialized-lock.js'
import type { Definition } from './definition.js'
import { LOCK_NOT_AVAILABLE } from './failure.js'

/**
 * How long we wait for a lock that others would wait behind us for. Less than `deadlock_timeout`, whose default is a second, so that
 * of a deadlock with the application we are the one who gives way.
 */
const POLITE_MS = 200
const FIRST_PAUSE_MS = 20
const LONGEST_PAUSE_MS = 500

/**
 * The one lock of a query, held by a transaction: whoever builds, refreshes or drops its view has it. It ends with the
 * transaction, so that a process that dies leaves nothing behind. Nobody queues for it, because a statement that waits holds
 * a connection of the pool and keeps the server from vacuuming; who finds it taken looks again later.
 */
export class QueryLock {
  readonly #definition: Definition
  readonly #closing = new AbortController()
  readonly #holders = new Set<number>()
  readonly #attempts = new Set<Promise<unknown>>()

  constructor(definition: Definition) {
    this.#definition = definition
  }

  /** Runs `fn` in a READ COMMITTED transaction that holds the lock; `undefined` where another has it. */
  async attempt<T>(
    fn: (tx: Transaction) => Promise<T>,
  ): Promise<{ readonly value: T } | undefined> {
    this.assertOpen()
    const { db, name, timeout } = this.#definition
    const attempt = db.transaction(async (tx) => {
      await tx.query('set transaction isolation level read committed')
      const [row] = await db.query(lockQuery(db.schema, name, timeout, db.kind === 'pg'), tx)
      if (row?.locked !== true) return undefined
      this.#holders.add(row.pid)
      try {
        this.assertOpen()
        return { value: await fn(tx) }
      } finally {
        this.#holders.delete(row.pid)
      }
    })
    this.#attempts.add(attempt)
    try {
      return await attempt
    } finally {
      this.#attempts.delete(attempt)
    }
  }

  /**
   * Calls `step` until it answers something, with pauses that grow, for as long as the query's timeout. Locks of tables that were
   * not had are a reason to try again.
   *
   * @throws {@link HowdahError} CACHE_MATERIALIZED_BUSY, CACHE_CLOSED
   */
  async until<T>(step: () => Promise<T | undefined>): Promise<T> {
    const deadline = performance.now() + this.#definition.timeout
    for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 1.5, LONGEST_PAUSE_MS)) {
      this.assertOpen()
      let cause: unknown
      try {
        const answer = await step()
        if (answer !== undefined) return answer
      } catch (error) {
        if (sqlState(error) !== LOCK_NOT_AVAILABLE) throw error
        cause = error
      }
      if (performance.now() > deadline) throw this.#busy(cause)
      await this.#pause(pause)
    }
  }

  /** Runs statements that take locks the application's own statements would queue behind, for a short time only. */
  async politely(tx: Transaction, statements: readonly string[]): Promise<void> {
    await tx.query(`set local lock_timeout = ${POLITE_MS}`)
    for (const text of statements) await tx.query(text)
  }

  /** @throws {@link HowdahError} CACHE_CLOSED */
  assertOpen(): void {
    if (!this.#closing.signal.aborted) return
    throw cacheError('CACHE_CLOSED', 'This materialised query is closed. Make a new one.')
  }

  /** Cancels what runs under the lock in this process and waits until it has ended. */
  async close(): Promise<void> {
    this.#closing.abort()
    const { db, name } = this.#definition
    // PGlite has one connection: what runs there is over before another statement would be.
    const holders = db.kind === 'pg' ? [...this.#holders] : []
    await Promise.allSettled(holders.map((pid) => db.query(cancelQuery(db.schema, name, pid))))
    await Promise.allSettled([...this.#attempts])
  }

  async #pause(ms: number): Promise<void> {
    const wait = ms * (0.5 + Math.random() / 2)
    await later(wait, undefined, { signal: this.#closing.signal }).catch(() => {})
  }

  #busy(cause: unknown) {
    const { name, timeout } = this.#definition
    return cacheError(
      'CACHE_MATERIALIZED_BUSY',
      `The materialised query '${name}' found no moment in ${timeout} ms to take its locks: another refresh, or a long transaction on its tables, went on all the time. Look for it in pg_stat_activity, or raise timeout.`,
      cause,
    )
  }
}
