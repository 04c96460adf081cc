import type { Database } from '../database.js'
import type { Statement } from '../statement.js'
import { within } from './wait.js'

/** Queries given up that the pool may still owe an answer to. */
const MOST_OWED = 3

/**
 * Runs the hub's own background statements through the application's pool with a time limit. A query that is given up still holds
 * its place in the pool, so after a few of them the next waits until one has ended: a pool that hangs does not
 * fill up with our attempts.
 */
export class PoolQueries {
  readonly #db: Database
  readonly #owed = new Set<Promise<void>>()

  constructor(db: Database) {
    this.#db = db
  }

  /** @throws Error when the pool does not answer within `ms`; the abort's reason when aborted */
  async run<Row>(statement: Statement<Row>, ms: number, signal?: AbortSignal): Promise<Row[]> {
    const until = performance.now() + ms
    const wait = <T>(promise: Promise<T>) =>
      within(promise, until - performance.now(), `The pool did not answer within ${ms} ms.`, signal)
    while (this.#owed.size >= MOST_OWED) await wait(Promise.race(this.#owed))
    signal?.throwIfAborted()
    const answer = this.#db.query(statement)
    const forget = () => {
      this.#owed.delete(owed)
    }
    const owed = answer.then(forget, forget)
    this.#owed.add(owed)
    return wait(answer)
  }
}
