import { HowdahError } from './errors.js'
import type { Queryable, QueryConfigLike, QueryResultLike } from './queryable.js'

/**
 * A transaction that {@link Database.transaction} opened. It runs your own SQL and goes as `{ client }` into every write of
 * the Howdah packages, which then commit or roll back with it.
 *
 * States: open -> over (committed or rolled back). Invariants: callbacks given to `afterCommit` run once, after the commit was
 * acknowledged, and never when the transaction rolls back; an ended transaction runs nothing more.
 *
 * @example
 * ```ts
 * import { Database } from '@howdah/core'
 * import { Pool } from 'pg'
 *
 * const db = Database.from(new Pool())
 * await db.transaction(async (tx) => {
 *   await tx.query('update account set credit = credit - $1 where id = $2', [5, 1])
 *   tx.afterCommit(() => {})
 * })
 * ```
 */
export class Transaction implements Queryable {
  readonly #connection: Queryable
  readonly #callbacks: (() => void)[] = []
  #over = false

  /** @internal Made by {@link Database.transaction} only. */
  constructor(connection: Queryable) {
    this.#connection = connection
  }

  /**
   * Runs one statement inside the transaction, in either of the forms `pg` takes.
   *
   * @throws {@link HowdahError} CORE_TRANSACTION_OVER after the transaction has ended
   */
  query(query: string | QueryConfigLike, values?: unknown[]): Promise<QueryResultLike> {
    if (this.#over) {
      return Promise.reject(
        new HowdahError(
          'CORE_TRANSACTION_OVER',
          'This transaction has ended. Await every statement inside the function given to transaction().',
        ),
      )
    }
    return this.#connection.query(typeof query === 'string' ? { text: query, values } : query)
  }

  /** Calls back once the transaction has committed; never when it rolls back. Errors of the callback are not the transaction's. */
  afterCommit(callback: () => void): void {
    this.#callbacks.push(callback)
  }

  /** @internal Ends the transaction; what was to run after a commit runs now, or never. */
  end(committed: boolean): void {
    this.#over = true
    if (!committed) return
    for (const callback of this.#callbacks) callback()
  }
}
