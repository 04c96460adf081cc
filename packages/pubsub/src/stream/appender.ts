/**
 * Appends of one process outside of transactions.
 *
 * Invariants
 * - At most one statement runs at any time, for two could commit in either order: appends are in the order of the calls. What comes meanwhile
 *   shares the next one, so that callers who wait at the same time share one flush to disk.
 * - An append resolves once it is committed, and rejects alone: where the server refuses a batch, which then stored nothing, its messages
 *   are sent one by one.
 */
import { canNarrowDown, type Database, HowdahError } from '@howdah/core'
import { appendMessages, type StoredMessage } from '../sql/append-messages.js'

const BATCH_MESSAGES = 1000
const BATCH_LENGTH = 1024 * 1024
const WAITING_MESSAGES = 100_000

interface Waiting {
  readonly message: StoredMessage
  resolve(id: string): void
  reject(error: unknown): void
}

/** Puts appends into statements. */
export class Appender {
  readonly #db: Database
  readonly #onAppended: () => void
  #waiting: Waiting[] = []
  #running = false

  constructor(db: Database, onAppended: () => void) {
    this.#db = db
    this.#onAppended = onAppended
  }

  /**
   * Answers the message's id.
   *
   * @throws {@link HowdahError} CORE_OVERLOADED when too many wait
   */
  add(message: StoredMessage): Promise<string> {
    if (this.#waiting.length >= WAITING_MESSAGES) {
      return Promise.reject(
        new HowdahError(
          'CORE_OVERLOADED',
          `${WAITING_MESSAGES} appends already wait for the database. Await them, or use appendMany().`,
        ),
      )
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ message, resolve, reject })
      if (this.#running) return
      this.#running = true
      // Callers that were just answered ask again in microtasks; an immediate comes after all of them.
      setImmediate(() => void this.#run())
    })
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      await this.#send(this.#take())
      if (this.#waiting.length === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    this.#running = false
  }

  #take(): Waiting[] {
    let length = 0
    let count = 0
    for (const { message } of this.#waiting) {
      length += message.payload.length
      if (count === BATCH_MESSAGES || (count > 0 && length > BATCH_LENGTH)) break
      count++
    }
    return this.#waiting.splice(0, count)
  }

  async #send(batch: readonly Waiting[]): Promise<void> {
    try {
      const messages = batch.map(({ message }) => message)
      const [row] = await this.#db.query(appendMessages(this.#db.schema, messages))
      const ids = (row?.ids ?? '').split(',')
      this.#onAppended()
      for (const [n, { resolve }] of batch.entries()) resolve(ids[n] ?? '')
    } catch (error) {
      if (batch.length === 1 || !canNarrowDown(error)) {
        for (const { reject } of batch) reject(error)
      } else {
        for (const one of batch) await this.#send([one])
      }
    }
  }
}
