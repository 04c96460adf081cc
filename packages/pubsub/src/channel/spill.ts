/**
 * Messages that are too large for notifications, in a table for the minutes in which receivers fetch them.
 *
 * Whoever stores one deletes what is stale, so that nothing needs to run while nobody publishes such messages; for the last ones a timer runs in the process
 * that stored them, which does not keep it alive. The database's clock decides what is stale.
 */
import { randomUUID } from 'node:crypto'
import type { Database, TransactionHandle } from '@howdah/core'
import { type SpilledBody, spillFetch, spillInsert, spillPrune } from '../sql/spill.js'
import { ensureTables } from '../tables.js'

const PRUNE_AFTER_MS = 6 * 60_000
/** A receiver waits no longer for a message, and tells of a gap. */
const FETCH_MS = 15_000

export class Spill {
  readonly #db: Database
  #timer: NodeJS.Timeout | undefined
  #closed = false

  constructor(db: Database) {
    this.#db = db
  }

  /** Makes sure that the tables are there. */
  async open(): Promise<void> {
    await ensureTables(this.#db)
  }

  /** Stores a message and answers its id. */
  async store(message: string | Buffer, client: TransactionHandle | undefined): Promise<string> {
    const id = randomUUID()
    const body =
      typeof message === 'string' ? { json: message, bytes: null } : { json: null, bytes: message }
    await this.open()
    await this.#db.query(spillInsert(this.#db.schema, id, body), client)
    this.#pruneLater()
    return id
  }

  /**
   * Reads a message; `undefined` when it is gone.
   *
   * @throws what the query fails with, or an Error after a time
   */
  async fetch(id: string): Promise<SpilledBody | undefined> {
    const rows = this.#db.query(spillFetch(this.#db.schema, id))
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      const error = new Error(`A large message could not be fetched within ${FETCH_MS} ms.`)
      timer = setTimeout(() => reject(error), FETCH_MS).unref()
    })
    try {
      return (await Promise.race([rows, late]))[0]
    } finally {
      clearTimeout(timer)
      // What comes too late is dropped.
      rows.catch(() => {})
    }
  }

  close(): void {
    this.#closed = true
    clearTimeout(this.#timer)
  }

  #pruneLater(): void {
    if (this.#closed || this.#timer !== undefined) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#db.query(spillPrune(this.#db.schema)).then(
        ([result]) => {
          if (result?.more === true) this.#pruneLater()
        },
        // Whoever stores the next one prunes again.
        () => {},
      )
    }, PRUNE_AFTER_MS).unref()
  }
}
