/**
 * Runs a queue's jobs in this process.
 *
 * States: working -> closing -> closed. Invariants
 * - at most `concurrency` jobs run at a time, and no more than the free places are claimed;
 * - a job is completed, failed or handed back only by the lease it was claimed under, so a worker that lost its lease changes nothing;
 * - leases are renewed every third of their length for as long as the handler runs;
 * - after `close()` nothing is claimed, and every job that was running has ended or was handed back.
 */
import { type Database, Emitter, Loop } from '@howdah/core'
import { queueError } from './errors.js'
import type { Handler, Job } from './job.js'
import type { ResolvedQueueOptions, ResolvedWorkOptions } from './options.js'
import { type ClaimedRow, claimJobs } from './sql/claim-jobs.js'
import { completeJobs } from './sql/complete-jobs.js'
import { failJob } from './sql/fail-job.js'
import { renewLeases } from './sql/renew-leases.js'
import { returnJobs } from './sql/return-jobs.js'

/** Events of a {@link Worker}. */
export interface WorkerEvents {
  /** A job completed. */
  readonly completed: readonly [job: Job<unknown>]
  /** An attempt threw; `dead` tells whether it was the last. */
  readonly failed: readonly [job: Job<unknown>, error: unknown, dead: boolean]
  /** Something went wrong outside of handlers: a lost lease, a server out of reach. The worker goes on by itself. */
  readonly error: readonly [error: unknown]
}

/** What a worker needs of its queue. */
export interface WorkerSource<T> {
  readonly db: Database
  readonly name: string
  readonly options: ResolvedQueueOptions
  readonly handler: Handler<T>
  /** Resolves once the queue's tables are there. */
  ready(): Promise<void>
  /** Called when the worker has closed. */
  onClosed(worker: Worker<T>): void
}

interface Running {
  readonly lease: string
  readonly abort: AbortController
  readonly ended: Promise<void>
}

/** How long a closing worker waits for its jobs, where `close` does not say. */
const CLOSE_WITHIN_MS = 30_000
const MAX_ERROR_LENGTH = 10_000
const MAX_RETRY_MS = 60 * 60 * 1000

/** A running worker; made by {@link Queue.work}. */
export class Worker<T> {
  readonly #source: WorkerSource<T>
  readonly #options: ResolvedWorkOptions
  readonly #running = new Map<string, Running>()
  readonly #events = new Emitter<WorkerEvents>()
  readonly #claims: Loop
  readonly #renewals: Loop
  #closing: Promise<void> | undefined

  /** @internal */
  constructor(source: WorkerSource<T>, options: ResolvedWorkOptions) {
    this.#source = source
    this.#options = options
    const onError = (error: unknown) => this.#events.emit('error', error)
    this.#claims = new Loop({
      interval: options.pollInterval,
      keepAlive: true,
      run: (signal) => this.#claim(signal),
      onError,
    })
    this.#renewals = new Loop({
      interval: options.lease / 3,
      backoff: { initial: 50, max: options.lease / 3 + 50 },
      run: () => this.#renew(),
      onError,
    })
    this.#claims.start()
    this.#renewals.start()
  }

  /** Adds a listener and returns the function that removes it. */
  on<Name extends keyof WorkerEvents>(
    name: Name,
    listener: (...args: WorkerEvents[Name]) => void,
  ): () => void {
    return this.#events.on(name, listener)
  }

  /** How many jobs run in this worker now. */
  get running(): number {
    return this.#running.size
  }

  /** @internal Looks for jobs now instead of at the next poll. */
  wake(): void {
    this.#claims.wake()
  }

  /**
   * Claims no more and waits for the jobs that run. After `withinMs` their signals abort and they are handed back, due at once,
   * with no attempt counted.
   */
  close({ withinMs = CLOSE_WITHIN_MS }: { readonly withinMs?: number } = {}): Promise<void> {
    this.#closing ??= this.#close(withinMs)
    return this.#closing
  }

  /** Closes at the end of an `await using` block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(withinMs: number): Promise<void> {
    await this.#claims.stop()
    const ended = Promise.all([...this.#running.values()].map((job) => job.ended))
    if (!(await settledWithin(ended, withinMs))) await this.#handBack()
    await this.#renewals.stop()
    this.#source.onClosed(this)
  }

  async #claim(signal: AbortSignal): Promise<number | undefined> {
    const { db, name, ready } = this.#source
    await ready()
    const free = this.#options.concurrency - this.#running.size
    if (free === 0) return undefined
    const rows = await db.query(claimJobs(db.schema, name, free, this.#options.lease))
    for (const row of rows) this.#start(row)
    // A full answer says there may be more; the next place that comes free wakes us anyway.
    return rows.length === free && !signal.aborted ? 0 : undefined
  }

  #start(row: ClaimedRow): void {
    const abort = new AbortController()
    const job: Job<T> = {
      id: row.id,
      queue: this.#source.name,
      payload: JSON.parse(row.payload) as T,
      attempt: row.attempt,
      maxAttempts: row.maxAttempts,
      signal: abort.signal,
    }
    const ended = this.#run(job, row.lease).finally(() => {
      this.#running.delete(row.id)
      this.#claims.wake()
    })
    this.#running.set(row.id, { lease: row.lease, abort, ended })
  }

  async #run(job: Job<T>, lease: string): Promise<void> {
    try {
      await this.#source.handler(job)
    } catch (error) {
      return this.#settle(job, () => this.#fail(job, lease, error))
    }
    return this.#settle(job, () => this.#complete(job, lease))
  }

  /** Reports the end of an attempt. What cannot be reported now is not lost: the lease runs out and the job runs again. */
  async #settle(job: Job<T>, report: () => Promise<boolean>): Promise<void> {
    if (!this.#running.has(job.id) && job.signal.aborted) return
    try {
      if (!(await report())) this.#events.emit('error', leaseLost(job))
    } catch (error) {
      this.#events.emit('error', error)
    }
  }

  async #complete(job: Job<T>, lease: string): Promise<boolean> {
    const { db } = this.#source
    const rows = await db.query(completeJobs(db.schema, [job.id], [lease]))
    if (rows.length === 0) return false
    this.#events.emit('completed', job)
    return true
  }

  async #fail(job: Job<T>, lease: string, error: unknown): Promise<boolean> {
    const { db, options } = this.#source
    const ceiling = Math.min(MAX_RETRY_MS, options.backoff * 2 ** (job.attempt - 1))
    const delay = ceiling * (0.5 + Math.random() / 2)
    const [row] = await db.query(failJob(db.schema, job.id, lease, errorText(error), delay))
    if (row === undefined) return false
    this.#events.emit('failed', job, error, row.dead)
    return true
  }

  async #renew(): Promise<undefined> {
    if (this.#running.size === 0) return
    const { db } = this.#source
    const jobs = [...this.#running]
    const rows = await db.query(
      renewLeases(
        db.schema,
        jobs.map(([id]) => id),
        jobs.map(([, job]) => job.lease),
        this.#options.lease,
      ),
    )
    const held = new Set(rows.map((row) => row.id))
    for (const [id, job] of jobs) {
      // A job that ended meanwhile has no lease to lose.
      if (!held.has(id) && this.#running.get(id) === job) job.abort.abort()
    }
  }

  async #handBack(): Promise<void> {
    const { db } = this.#source
    const jobs = [...this.#running]
    for (const [id, job] of jobs) {
      this.#running.delete(id)
      job.abort.abort()
    }
    const ids = jobs.map(([id]) => id)
    const leases = jobs.map(([, job]) => job.lease)
    await db.query(returnJobs(db.schema, ids, leases)).catch((error) => {
      this.#events.emit('error', error)
    })
  }
}

function leaseLost(job: Job<unknown>) {
  return queueError(
    'QUEUE_LEASE_LOST',
    `Job ${job.id} ended after its lease had passed to another worker. Make the lease longer, or watch job.signal.`,
  )
}

/** What is kept of an error: PostgreSQL text holds no NUL, and an endless message helps nobody. */
function errorText(error: unknown): string {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
  return text.replaceAll('\0', '\\0').slice(0, MAX_ERROR_LENGTH)
}

async function settledWithin(work: Promise<unknown>, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), ms)
  })
  const result = await Promise.race([work.then(() => true), late])
  clearTimeout(timer)
  return result
}
