/**
 * Waits for the ends of jobs.
 *
 * All who wait for jobs of a queue in this process share one look at the tables: at once, when an event says that one of them ended,
 * after a gap, and at intervals that grow while nothing happens. So an event that is lost makes an answer later, not wrong.
 */
import { type Database, type Duration, Loop, parseDuration } from '@howdah/core'
import { queueError } from '../errors.js'
import { type ResultRow, readResults } from '../sql/results.js'
import type { EventStream } from './event-stream.js'
import { checkId } from './operations.js'

/** Options of {@link Queue.result}. */
export interface ResultOptions {
  /** How long to wait. @defaultValue without end */
  readonly timeout?: Duration | undefined
  /** Ends the waiting; its reason is thrown. */
  readonly signal?: AbortSignal | undefined
}

interface Waiter {
  resolve(row: ResultRow): void
  reject(error: unknown): void
}

const FIRST_LOOK_MS = 25
const LAST_LOOK_MS = 2_000
const LOOKED_FOR = 1000

/** Those in this process who wait for jobs of one queue. */
export class Results {
  readonly #db: Database
  readonly #open: () => Promise<number>
  readonly #events: EventStream
  readonly #waiting = new Map<string, Set<Waiter>>()
  readonly #looks: Loop
  #pause = FIRST_LOOK_MS
  #closed = false
  #resting: Promise<void> = Promise.resolve()
  #listening: Promise<(() => Promise<void>)[]> | undefined

  constructor(db: Database, open: () => Promise<number>, events: EventStream) {
    this.#db = db
    this.#open = open
    this.#events = events
    this.#looks = new Loop({
      interval: LAST_LOOK_MS,
      keepAlive: true,
      backoff: { initial: 100, max: LAST_LOOK_MS },
      run: () => this.#look(),
    })
  }

  async wait(id: string, { timeout, signal }: ResultOptions): Promise<unknown> {
    checkId(id)
    const ms = timeout === undefined ? undefined : parseDuration(timeout, 'timeout')
    signal?.throwIfAborted()
    await this.#open()
    if (this.#closed) throw closed()
    signal?.throwIfAborted()
    return answer(await this.#first(id, ms, signal))
  }

  /** Ends all waiting. */
  async close(): Promise<void> {
    this.#closed = true
    for (const waiters of this.#waiting.values()) {
      for (const waiter of waiters) waiter.reject(closed())
    }
    this.#waiting.clear()
    await this.#resting
    await this.#rest()
  }

  #first(id: string, ms: number | undefined, signal: AbortSignal | undefined): Promise<ResultRow> {
    return new Promise((resolve, reject) => {
      const timer =
        ms === undefined
          ? undefined
          : setTimeout(() => end(() => reject(late(id, ms))), Math.min(ms, 2 ** 31 - 1))
      const onAbort = () => end(() => reject(signal?.reason))
      const end = (settle: () => void) => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', onAbort)
        this.#forget(id, waiter)
        settle()
      }
      const waiter: Waiter = {
        resolve: (row) => end(() => resolve(row)),
        reject: (error) => end(() => reject(error)),
      }
      signal?.addEventListener('abort', onAbort, { once: true })
      const waiters = this.#waiting.get(id) ?? new Set()
      this.#waiting.set(id, waiters.add(waiter))
      this.#begin()
    })
  }

  #begin(): void {
    this.#pause = FIRST_LOOK_MS
    this.#looks.start()
    this.#looks.wake()
    // Not waited for: without events there are the looks.
    this.#listening ??= Promise.all([
      this.#events.on('any', (id) => {
        if (this.#waiting.has(id)) this.#looks.wake()
      }),
      this.#events.on('gap', () => this.#looks.wake()),
    ])
    this.#listening.then(
      () => this.#looks.wake(),
      () => {
        this.#listening = undefined
      },
    )
  }

  #forget(id: string, waiter: Waiter): void {
    const waiters = this.#waiting.get(id)
    waiters?.delete(waiter)
    if (waiters?.size === 0) this.#waiting.delete(id)
    if (this.#waiting.size === 0) this.#resting = this.#rest()
  }

  async #rest(): Promise<void> {
    const listening = this.#listening
    this.#listening = undefined
    await this.#looks.stop()
    if (this.#waiting.size > 0) this.#begin()
    for (const off of (await listening?.catch(() => undefined)) ?? []) await off()
  }

  async #look(): Promise<number> {
    const ids = [...this.#waiting.keys()]
    const queue = await this.#open()
    for (let at = 0; at < ids.length; at += LOOKED_FOR) {
      const some = ids.slice(at, at + LOOKED_FOR)
      for (const row of await this.#db.query(readResults(this.#db.schema, queue, some))) {
        if (row.outcome === null) continue
        for (const waiter of [...(this.#waiting.get(row.id) ?? [])]) waiter.resolve(row)
      }
    }
    const pause = this.#pause
    this.#pause = Math.min(pause * 2, LAST_LOOK_MS)
    return pause
  }
}

function answer({ id, outcome, output, error }: ResultRow): unknown {
  if (outcome === 'completed') return output === null ? undefined : JSON.parse(output)
  if (outcome === 'unknown') {
    throw queueError(
      'QUEUE_NOT_FOUND',
      `The queue has no job ${id}, or keeps it no more. Option keep says how long jobs that ended are kept.`,
    )
  }
  throw queueError(
    'QUEUE_JOB_FAILED',
    `Job ${id} ended as ${outcome}${error === null ? '.' : `: ${error}`}`,
  )
}

function closed(): Error {
  return queueError('QUEUE_CLOSED', 'The queue was closed while somebody waited for a job.')
}

function late(id: string, ms: number): Error {
  return queueError(
    'QUEUE_WAIT_TIMEOUT',
    `Job ${id} has not ended within ${ms} ms. It goes on; wait again, or cancel it.`,
  )
}
