/**
 * Appends of one process outside of transactions.
 *
 * Invariants
 * - At most one statement runs at any time, for two could commit in either order: appends are in the order of the calls. What comes meanwhile
 *   shares the next one, so that callers who wait at the same time share one flush to disk.
 * - The next statement is on its way before those of the last one are told, so that the server works while this process does. Many callers
 *   who were told together would call together again, and leave it idle; so where nothing is on its way only half of them are sent.
 * - An append resolves once it is committed, and rejects alone: where the server refuses a batch, which then stored nothing, its messages
 *   are sent one by one.
 */
import { canNarrowDown, type Database, HowdahError } from '@howdah/core'
import { append, type StoredMessage } from '../sql/append-messages.js'
import type { Appended } from './options.js'

const BATCH_MESSAGES = 1000
const BATCH_LENGTH = 1024 * 1024
const WAITING_MESSAGES = 100_000
/** Fewer share one statement: half of them would cost about as much as all. */
const WORTH_HALVING = 256

interface Waiting {
  readonly message: StoredMessage
  resolve(appended: Appended): void
  reject(error: unknown): void
}

/** What became of a statement. */
type Outcome = { readonly ids: readonly string[] } | { readonly error: unknown }

/** What an {@link Appender} tells of. */
export interface AppendListener {
  onAppended(messages: number): void
  /** The stream was dropped; answers the error that says so. */
  onDropped(stream: number): Error
}

/** Puts appends into statements. */
export class Appender {
  readonly #db: Database
  readonly #listener: AppendListener
  #waiting: Waiting[] = []
  #running = false

  constructor(db: Database, listener: AppendListener) {
    this.#db = db
    this.#listener = listener
  }

  /**
   * Answers the message's id.
   *
   * @throws {@link HowdahError} CORE_OVERLOADED when too many wait
   */
  add(message: StoredMessage): Promise<Appended> {
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
      const { length } = this.#waiting
      let batch = this.#take(length < WORTH_HALVING ? length : Math.ceil(length / 2))
      let sending = this.#send(batch)
      for (;;) {
        const outcome = await sending
        const next = this.#take(this.#waiting.length)
        if (next.length > 0 && !('error' in outcome)) sending = this.#send(next)
        await this.#settle(batch, outcome)
        if (next.length === 0) break
        if ('error' in outcome) sending = this.#send(next)
        batch = next
      }
      await new Promise((resolve) => setImmediate(resolve))
    }
    this.#running = false
  }

  #take(most: number): Waiting[] {
    let length = 0
    let count = 0
    for (const { message } of this.#waiting) {
      length += message.payload.length
      if (count === most || count === BATCH_MESSAGES || (count > 0 && length > BATCH_LENGTH)) break
      count++
    }
    if (count < this.#waiting.length) return this.#waiting.splice(0, count)
    const all = this.#waiting
    this.#waiting = []
    return all
  }

  /** Never rejects. */
  async #send(batch: readonly Waiting[]): Promise<Outcome> {
    try {
      const messages = batch.map(({ message }) => message)
      const [row] = await this.#db.query(append(this.#db.schema, messages))
      // They were all of one stream, or the server would have refused them.
      if (row?.ids == null) return { error: this.#listener.onDropped(messages[0]?.stream ?? 0) }
      this.#listener.onAppended(batch.length)
      return { ids: row.ids.split(',') }
    } catch (error) {
      return { error }
    }
  }

  async #settle(batch: readonly Waiting[], outcome: Outcome): Promise<void> {
    if ('ids' in outcome) {
      for (const [n, { resolve }] of batch.entries()) {
        resolve({ id: outcome.ids[n] ?? '', duplicate: false })
      }
    } else if (batch.length === 1 || !canNarrowDown(outcome.error)) {
      for (const { reject } of batch) reject(outcome.error)
    } else {
      for (const one of batch) await this.#settle([one], await this.#send([one]))
    }
  }
}
