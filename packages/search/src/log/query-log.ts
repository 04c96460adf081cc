/**
 * What is searched for, kept for those who look after a search.
 *
 * A search puts what there is to note in memory and goes on; a loop writes it in batches, on a connection of the pool and never in the transaction of a
 * search. States of an entry: waiting -> written or dropped. Invariants:
 * - at most MAX_WAITING entries wait; further ones are dropped and counted, so a slow database costs no memory;
 * - a batch whose statement failed is dropped and counted, not sent again: it may have been written;
 * - nothing here fails a search, or has one wait.
 */
import { createHmac } from 'node:crypto'
import { type Database, Loop } from '@howdah/core'
import { normalQuery } from '../curation/rules.js'
import { logSearches, pruneLog, readLogKey } from '../sql/query-log.js'
import type { ResolvedLog } from './log-options.js'

const INTERVAL = '1s'
const MAX_WAITING = 10_000
/** Entries in one statement; as many that wait have the loop begin at once. */
const BATCH = 1000
/** Characters of a query that are kept: more is not typed. */
const MAX_QUERY = 500
/** How long closing waits for what is left. */
const FAREWELL_MS = 3000
const PRUNE_EVERY_MS = 60_000
const PRUNED_AT_ONCE = 5000

/** What is noted of a search. */
export interface LoggedSearch {
  readonly query: string
  readonly hits: number
  readonly ms: number
  /** Whether something mistyped was found in it. */
  readonly corrected: boolean
  readonly tenant: string
}

/** What a log has done in this process. */
export interface QueryLogStats {
  /** Searches that were written. */
  readonly written: number
  /** Searches that were not, since the database was slow or failed. */
  readonly dropped: number
  /** Searches that are still to be written. */
  readonly waiting: number
}

/** The log of one index in this process. */
export class QueryLog {
  readonly #db: Database
  readonly #options: ResolvedLog
  readonly #index: () => Promise<number>
  readonly #loop: Loop
  #waiting: LoggedSearch[] = []
  #written = 0
  #dropped = 0
  #writing: Promise<void> = Promise.resolve()
  #key: string | undefined
  #prunedAt = Number.NEGATIVE_INFINITY

  constructor(db: Database, options: ResolvedLog, index: () => Promise<number>) {
    this.#db = db
    this.#options = options
    this.#index = index
    this.#key = options.secret
    this.#loop = new Loop({ interval: INTERVAL, run: () => this.#round() })
  }

  /** Notes a search, or leaves it out of the sample. */
  note(search: LoggedSearch): void {
    const { sample } = this.#options
    if (sample < 1 && Math.random() >= sample) return
    if (this.#waiting.length >= MAX_WAITING) {
      this.#dropped++
      return
    }
    this.#waiting.push(search)
    if (!this.#loop.running) this.#loop.start()
    else if (this.#waiting.length >= BATCH) this.#loop.wake()
  }

  stats(): QueryLogStats {
    return { written: this.#written, dropped: this.#dropped, waiting: this.#waiting.length }
  }

  /** Writes all that waits; for who reads the log next. Never rejects. */
  async flush(): Promise<void> {
    await this.#round().catch(() => {})
  }

  /** Removes what was kept long enough, once a minute unless it is to be now. */
  async prune(now = false): Promise<void> {
    if (!now && performance.now() - this.#prunedAt < PRUNE_EVERY_MS) return
    this.#prunedAt = performance.now()
    const statement = pruneLog(
      this.#db.schema,
      await this.#index(),
      this.#options.keepMs,
      PRUNED_AT_ONCE,
    )
    for (let pruned = PRUNED_AT_ONCE; pruned >= PRUNED_AT_ONCE; ) {
      pruned = (await this.#db.query(statement))[0]?.pruned ?? 0
    }
  }

  /** Writes what is left, unless the database takes too long for it. */
  async close(): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    const given = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, FAREWELL_MS)
    })
    await Promise.race([this.#loop.stop().then(() => this.flush()), given])
    clearTimeout(timer)
    this.#dropped += this.#waiting.length
    this.#waiting = []
  }

  /** One at a time, so that reading one's own log waits for what is under way. */
  #round(): Promise<undefined> {
    const round = this.#writing.then(() => this.#write())
    this.#writing = round.catch(() => {})
    return round as Promise<undefined>
  }

  async #write(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, BATCH)
      try {
        const index = await this.#index()
        const text = await this.#textOf(index)
        const entries = batch.map((one) => ({ ...one, query: text(one.query) }))
        await this.#db.query(logSearches(this.#db.schema, index, entries))
        this.#written += batch.length
      } catch (error) {
        this.#dropped += batch.length
        throw error
      }
    }
  }

  async #textOf(index: number): Promise<(query: string) => string> {
    if (this.#options.text === 'plain') return normalText
    if (this.#key === undefined) {
      const [row] = await this.#db.query(readLogKey(this.#db.schema, index))
      this.#key = row?.key
    }
    const key = this.#key
    if (key === undefined) throw new Error('The index is gone.')
    return (query) => `#${createHmac('sha256', key).update(normalText(query)).digest('base64url')}`
  }
}

/** Equal for queries that differ in case and spaces only, and such that PostgreSQL can hold it. */
function normalText(query: string): string {
  const text = query
    .slice(0, MAX_QUERY)
    .replaceAll('\0', ' ')
    .replace(/\p{Surrogate}/gu, ' ')
  return normalQuery(text)
}
