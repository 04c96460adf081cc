/**
 * Has messages put in order, and tells of it.
 *
 * States: idle -> (ring, settle) -> running -> (paced) running -> idle.
 *
 * Invariants
 * - At most one statement of this process runs at any time; one that starts after a ring covers what was committed before the ring.
 * - A run that found another process at work is repeated: that one may have looked before our commit.
 * - It is told only after its commit, by a statement of its own: a notification inside would make it wait for every other commit that
 *   notifies. So a process may die between the two; whoever polls notices that a tick was not told, and tells.
 */
import { type Database, sqlState } from '@howdah/core'
import { type Sequenced, sequenceStreams } from '../sql/sequence-streams.js'

/** Least time between two runs, in milliseconds, but for those that somebody waits for. */
const PACE_MS = 3
/** The same where so many were appended in it that a run more would do little for anybody and cost all. */
const FLOOD_PACE_MS = 12
const FLOOD_MESSAGES = 100
/** Of how many parts of the time one goes to runs, at most. */
const SHARE = 4
/** Wait before another try where another process is at it. */
const BUSY_MS = 1
const ISOLATION = 'read committed'

interface Settling {
  readonly promise: Promise<void>
  resolve(): void
  reject(error: unknown): void
}

/** What a {@link Sequencer} tells of. */
export interface SequencerListener {
  /** A run of ours put messages in order: new heads by number of the stream. */
  onSequenced(tick: number, heads: Readonly<Record<string, number>>): void
  /** A run found nothing to do; `tick` is the last one there is. */
  onIdle(tick: number): void
  onError(error: unknown): void
}

/** Runs the sequencer for one process. */
export class Sequencer {
  readonly #db: Database
  readonly #listener: SequencerListener
  /** Messages rung for since the last run began. */
  #rung = 0
  #settling: Settling | undefined
  #running: Promise<void> | undefined
  #notBefore = 0
  #wake: (() => void) | undefined
  /** Set once the database turned out to run single statements in another isolation. */
  #explicit = false
  #closed = false

  constructor(db: Database, listener: SequencerListener) {
    this.#db = db
    this.#listener = listener
  }

  /** Something may have been appended, by about so many messages: have it put in order soon. */
  ring(messages = 1): void {
    if (this.#closed) return
    this.#rung += messages
    this.#start()
  }

  /** Resolves once everything that was committed before the call is in order. @throws what the database fails with */
  settle(): Promise<void> {
    if (this.#settling === undefined) {
      const settling = deferred()
      this.#settling = settling
    }
    const { promise } = this.#settling
    this.#wake?.()
    this.#start()
    return promise
  }

  /** Starts no further run, and waits for the one under way. */
  async close(): Promise<void> {
    this.#closed = true
    this.#rung = 0
    this.#wake?.()
    await this.#running
  }

  #start(): void {
    this.#running ??= this.#loop().finally(() => {
      this.#running = undefined
      // What came between the last look and here.
      if (this.#rung > 0 || this.#settling !== undefined) this.#start()
    })
  }

  async #loop(): Promise<void> {
    while (this.#rung > 0 || this.#settling !== undefined) {
      if (this.#settling === undefined) await this.#pause()
      const settling = this.#settling
      this.#settling = undefined
      const pace = this.#rung > FLOOD_MESSAGES ? FLOOD_PACE_MS : PACE_MS
      this.#rung = 0
      const began = performance.now()
      try {
        const busy = !(await this.#once(settling !== undefined))
        if (busy) this.#repeat(settling)
        else settling?.resolve()
        // A server that is busy is left alone for most of the time, and finds more to do at once.
        this.#notBefore = busy
          ? performance.now() + BUSY_MS
          : began + Math.max(pace, SHARE * (performance.now() - began))
      } catch (error) {
        settling?.reject(error)
        if (settling === undefined) this.#listener.onError(error)
      }
    }
  }

  #repeat(settling: Settling | undefined): void {
    if (settling === undefined) this.#rung += this.#closed ? 0 : 1
    else if (this.#settling === undefined) this.#settling = settling
    else this.#settling.promise.then(settling.resolve, settling.reject)
  }

  /** Answers whether the run covered all there was. */
  async #once(wait: boolean): Promise<boolean> {
    const row = await this.#query(wait)
    if (row === undefined || row.outcome === 'busy') return false
    this.#explicit ||= row.isolation !== ISOLATION
    const tick = Number(row.tick)
    if (row.outcome === 'done') this.#listener.onSequenced(tick, row.heads ?? {})
    else this.#listener.onIdle(tick)
    return true
  }

  async #query(wait: boolean): Promise<Sequenced | undefined> {
    const statement = sequenceStreams(this.#db.schema, wait)
    try {
      if (!this.#explicit) return (await this.#db.query(statement))[0]
      return await this.#db.transaction(async (tx) => {
        await tx.query(`set transaction isolation level ${ISOLATION}`)
        return (await this.#db.query(statement, tx))[0]
      })
    } catch (error) {
      // The snapshot was older than the last tick, which only happens in another isolation.
      if (['23505', '40001'].includes(sqlState(error) ?? '')) return undefined
      throw error
    }
  }

  /** Keeps the process alive, for it is short, and what was appended should be heard of. A timer may fire early, so it looks again. */
  async #pause(): Promise<void> {
    for (;;) {
      const left = this.#notBefore - performance.now()
      if (left <= 0 || this.#settling !== undefined || this.#closed) return
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, Math.ceil(left))
        this.#wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
      this.#wake = undefined
    }
  }
}

function deferred(): Settling {
  let resolve: () => void = () => {}
  let reject: (error: unknown) => void = () => {}
  const promise = new Promise<void>((yes, no) => {
    resolve = yes
    reject = no
  })
  // Somebody else may have failed on it already.
  promise.catch(() => {})
  return { promise, resolve, reject }
}
