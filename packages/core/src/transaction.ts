import { HowdahError } from './errors.js'
import type { Queryable, QueryConfigLike, QueryResultLike } from './queryable.js'

/**
 * A transaction that {@link Database.transaction} opened. It runs your own SQL and goes as `{ client }` into every write of
 * the Howdah packages, which then commit or roll back with it.
 *
 * States: open -> ending (the function has returned) -> committed or rolled back. Invariants: only an open transaction runs
 * statements, so that none can follow the commit on the same connection; callbacks given to `afterCommit` run once, after the
 * commit was acknowledged, and never when the transaction rolls back.
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
  #callbacks: (() => void)[] = []
  #state: 'open' | 'ending' | 'committed' | 'rolled back' = 'open'

  /** @internal The tenant it was opened for. */
  readonly tenantId: string | undefined

  /** @internal Made by {@link Database.transaction} only. */
  constructor(connection: Queryable, tenantId?: string | undefined) {
    this.#connection = connection
    this.tenantId = tenantId
  }

  /**
   * Runs one statement inside the transaction, in either of the forms `pg` takes.
   *
   * @throws {@link HowdahError} CORE_TRANSACTION_OVER after the function given to `transaction()` has ended
   */
  query(query: string | QueryConfigLike, values?: unknown[]): Promise<QueryResultLike> {
    if (this.#state !== 'open') {
      return Promise.reject(
        new HowdahError(
          'CORE_TRANSACTION_OVER',
          'This transaction has ended. Await every statement inside the function given to transaction().',
        ),
      )
    }
    return this.#connection.query(typeof query === 'string' ? { text: query, values } : query)
  }

  /**
   * Calls back once the transaction has committed, in the order of the calls; never when it rolls back. An error of the callback
   * is a process warning: the transaction has succeeded.
   */
  afterCommit(callback: () => void): void {
    if (this.#state === 'committed') run(callback)
    else this.#callbacks.push(callback)
  }

  /** @internal Takes no more statements: what is sent now may come after the commit. */
  end(): void {
    this.#state = 'ending'
  }

  /** @internal Settles the transaction; what was to run after a commit runs now, or never. */
  settle(committed: boolean): void {
    this.#state = committed ? 'committed' : 'rolled back'
    const callbacks = this.#callbacks
    this.#callbacks = []
    if (committed) for (const callback of callbacks) run(callback)
  }
}

function run(callback: () => void): void {
  try {
    callback()
  } catch (error) {
    process.emitWarning(error instanceof Error ? error : String(error))
  }
}
