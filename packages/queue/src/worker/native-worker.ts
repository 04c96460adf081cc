/**
 * Runs a queue's jobs in this process.
 *
 * States: starting -> working -> closing -> closed. Invariants
 * - A job is ended only under the lease it was claimed with, so a worker that lost its lease changes nothing.
 * - A heartbeat tells that the worker lives, from a thread that no handler can hold up (`presence.ts`).
 * - After `close()` nothing is claimed, and every job that ran has ended or was handed back with no attempt counted.
 */
import { hostname } from 'node:os'
import { setTimeout as later } from 'node:timers/promises'
import { type Database, Emitter, Loop } from '@howdah/core'
import { queueError } from '../errors.js'
import { type EventSink, type JobEvent, jobEvent } from '../events.js'
import { FLAG } from '../flags.js'
import type { Job } from '../job.js'
import { markBusy, markIdle } from '../sql/idle.js'
import { enterWorker, leaveWorker } from '../sql/workers.js'
import type { ResolvedWorkOptions } from '../work-options.js'
import type { Worker, WorkerEvents } from '../worker.js'
import { ASLEEP_FOR_MS, Cadence } from './cadence.js'
import type { End, Flush } from './holding.js'
import { leaseLost, WorkerJobHost } from './job-host.js'
import { Maintenance } from './maintenance.js'
import { Presence } from './presence.js'
import { type Running, runBatch, runJob } from './run-jobs.js'
import { Taker } from './taker.js'
import { withinMs } from './within.js'

/** @internal What a worker needs of its queue. */
export interface WorkerSource<T> {
  readonly db: Database
  readonly name: string
  readonly running: Running<T>
  readonly events: EventSink
  /** Resolves with the queue's number once its tables are there. */
  open(): Promise<number>
  /** Called when the worker has closed. */
  onClosed(worker: NativeWorker<T>): void
}

/** How long a closing worker waits for its jobs, where `close` does not say. */
const CLOSE_WITHIN_MS = 30_000
/** How long a closing worker tries to tell the server what ended. */
const FAREWELL_MS = 5_000
const FAREWELL_PAUSE_MS = 100
/** Between two looks at a transaction that is to complete a job and has not ended when its handler has. */
const DECISION_PAUSE_MS = 50
/** What handlers have to end after their signal was aborted. */
const GRACE_MS = 100

/** A running worker of the engine `native`. */
export class NativeWorker<T> implements Worker {
  readonly #source: WorkerSource<T>
  readonly #options: ResolvedWorkOptions
  readonly #events = new Emitter<WorkerEvents>()
  readonly #jobs = new Map<string, Job<T>>()
  readonly #cadence: Cadence
  readonly #host: WorkerJobHost
  readonly #starter: Loop
  #taker: Taker<T> | undefined
  #maintenance: Maintenance<T> | undefined
  #marking = false
  #entering: Promise<void> | undefined
  #queue = 0
  #closing: Promise<void> | undefined
  #onDrained: (() => void) | undefined
  #onSettled: (() => void)[] = []

  /** @internal */
  constructor(source: WorkerSource<T>, options: ResolvedWorkOptions) {
    this.#source = source
    this.#options = options
    this.#cadence = new Cadence(options.pollInterval)
    this.#host = new WorkerJobHost({
      db: source.db,
      queue: source.name,
      tellProgress: (job, value) => {
        if (this.#taker?.watched)
          source.events.send(this.#queue, [['progress', job.id, JSON.parse(value)]])
      },
      onError: this.#onError,
    })
    this.#starter = new Loop({
      interval: '1h',
      keepAlive: true,
      backoff: { initial: 100, max: 2_000 },
      run: () => this.#start(),
      onError: this.#onError,
    })
    this.#starter.start()
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
    return this.#jobs.size
  }

  /** Whether its heartbeat comes from a thread of its own, so that a handler that blocks the event loop keeps its jobs. */
  get heartbeatOffThread(): boolean {
    return Presence.of(this.#source.db).offThread
  }

  /** @internal Resolves when jobs have ended and the server knows, or the worker has looked and found none. */
  settled(): Promise<void> {
    return new Promise((resolve) => this.#onSettled.push(resolve))
  }

  /** @internal The bell rang: look for jobs now instead of at the next poll. */
  wake(): void {
    this.#cadence.active(performance.now())
    this.#taker?.wake()
    if (this.#cadence.toWake) void this.#markAwake()
  }

  /** @internal Whether it would take a job at once. */
  get resting(): boolean {
    return (
      this.#closing === undefined && !this.#source.running.batch && this.#taker?.resting === true
    )
  }

  /** @internal Adds a job for itself, where it rests. */
  handOver(payload: string): Promise<string> {
    return (this.#taker as Taker<T>).handOver(payload)
  }

  /** @internal Tells of something that went wrong beside it. */
  report(error: unknown): void {
    this.#onError(error)
  }

  /** @internal Somebody has cancelled a job. */
  cancel(id: string): void {
    const reason = () => queueError('QUEUE_JOB_CANCELLED', `Job ${id} was cancelled.`)
    const job = this.#jobs.get(id)
    if (job !== undefined && job.abortReason === undefined) job.abort(reason())
  }

  /**
   * Claims no more and waits for the jobs that run. After `withinMs` their signals abort, and those that do not end at once are handed
   * back, to run before all others, with no attempt counted. @defaultValue withinMs `30000`
   */
  close({
    withinMs: patience = CLOSE_WITHIN_MS,
  }: {
    readonly withinMs?: number
  } = {}): Promise<void> {
    this.#closing ??= this.#close(patience)
    return this.#closing
  }

  /** Closes at the end of an `await using` block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #start(): Promise<undefined> {
    if (this.#taker !== undefined) return
    const { db } = this.#source
    this.#queue = await this.#source.open()
    const { concurrency, batchSize } = this.#options
    const places = concurrency * (batchSize ?? 1)
    const taker = new Taker<T>({
      db,
      queue: this.#queue,
      places,
      claimLimit: batchSize ?? places,
      cadence: this.#cadence,
      host: this.#host,
      start: (jobs) => this.#run(jobs),
      settled: (flush, dead, lost) => this.#settled(flush, dead, lost),
      lost: (jobs) => this.#lost(jobs),
      reenter: async () => {
        await this.#enter()
        this.#maintenance?.keepHouse()
      },
      rest: () => void this.#rest(),
      onError: this.#onError,
    })
    this.#maintenance = new Maintenance<T>({
      db,
      queue: this.#queue,
      taker,
      leaseMs: this.#options.lease,
      places,
      onError: this.#onError,
    })
    await this.#enter(taker)
    this.#taker = taker
    this.#maintenance.start()
    taker.wake()
  }

  /** Registers at the server, for the first time or again. */
  #enter(taker = this.#taker): Promise<void> {
    this.#entering ??= (async () => {
      try {
        const { db } = this.#source
        const known = taker?.worker === '' ? null : (taker?.worker ?? null)
        const about = `${hostname()} ${process.pid}`
        const [row] = await db.query(
          enterWorker(db.schema, this.#queue, known, this.#options.lease, about),
        )
        if (row === undefined || taker === undefined) return
        taker.worker = row.worker
        taker.floors.enter(row.epoch)
        if (row.limited !== taker.limited) {
          taker.limited = row.limited
          taker.slots = row.limited ? 0 : Number.POSITIVE_INFINITY
          this.#maintenance?.askPlaces()
        }
        if (known === null) this.#join(row.worker)
      } finally {
        this.#entering = undefined
      }
    })()
    return this.#entering
  }

  #join(id: string): void {
    Presence.of(this.#source.db).join({
      id,
      leaseMs: this.#options.lease,
      onCancelled: (ids) => {
        for (const job of ids) this.cancel(job)
      },
      onLost: () => {
        this.#enter().then(() => this.#maintenance?.keepHouse(), this.#onError)
      },
      onError: this.#onError,
    })
  }

  #run(jobs: readonly Job<T>[]): void {
    for (const job of jobs) this.#jobs.set(job.id, job)
    const { running } = this.#source
    if (!running.batch) {
      for (const job of jobs) void runJob(running, job).then((end) => this.#ended(job, end))
      return
    }
    // A job that has seen its worker die shares no batch.
    const apart = jobs.filter((job) => job.flags & FLAG.apart)
    const together = jobs.filter((job) => !(job.flags & FLAG.apart))
    for (const batch of [together, ...apart.map((job) => [job])]) {
      if (batch.length === 0) continue
      void runBatch(running, batch).then((ends) => {
        for (const [at, job] of batch.entries()) this.#ended(job, ends[at] as End)
      })
    }
  }

  #ended(job: Job<T>, end: End): void {
    if (!this.#host.hasReceipt(job)) {
      this.#end(job, end)
      return
    }
    void this.#decide(job, end)
  }

  /** Whether a job with a receipt is complete its transaction has decided, whatever the handler did after. Asks until it knows. */
  async #decide(job: Job<T>, end: End): Promise<void> {
    while (this.#jobs.get(job.id) === job) {
      try {
        const known = await this.#host.afterReceipt(job, end)
        if (known !== undefined) return this.#end(job, known)
      } catch (error) {
        this.#onError(error)
      }
      await later(DECISION_PAUSE_MS)
    }
  }

  #end(job: Job<T>, ended: End): void {
    const end = this.#host.noted(job) ? { ...ended, noted: true } : ended
    this.#host.forget(job)
    const mine = this.#jobs.get(job.id) === job
    if (mine) this.#jobs.delete(job.id)
    job.ended = true
    if (this.#taker?.ended(job, end) === false && mine) this.#events.emit('error', leaseLost(job))
    if (this.#jobs.size === 0) this.#onDrained?.()
  }

  #tellSettled(): void {
    for (const resolve of this.#onSettled.splice(0)) resolve()
  }

  #settled(flush: Flush<Job<T>>, dead: ReadonlySet<string>, lost: ReadonlySet<string>): void {
    this.#tellSettled()
    const heard =
      this.#events.listenerCount('completed') > 0 || this.#events.listenerCount('failed') > 0
    const watched = this.#taker?.watched === true
    if (!heard && !watched && lost.size === 0) return
    const told: JobEvent[] = []
    for (const { lease, job, end } of flush.jobs) {
      if (lost.has(job.id) || lost.has(`L${lease}`)) {
        this.#events.emit('error', leaseLost(job))
        continue
      }
      if (end.kind === 'completed') {
        if (heard) this.#events.emit('completed', job as Job<unknown>, decode(end.output))
      } else if (end.kind === 'failed' || end.kind === 'discarded') {
        const last = end.kind === 'discarded' || dead.has(job.id)
        if (heard) this.#events.emit('failed', job as Job<unknown>, end.cause, last)
      }
      if (watched) told.push(jobEvent(job.id, end, dead.has(job.id)))
    }
    if (told.length > 0) this.#source.events.send(this.#queue, told)
  }

  #lost(jobs: readonly Job<T>[]): void {
    for (const job of jobs) job.abort(leaseLost(job))
  }

  /** Nothing is left to do: says that it sleeps, and looks once more, for a job that came just before that was said. */
  async #rest(): Promise<void> {
    this.#tellSettled()
    if (this.#marking || this.#closing !== undefined || this.#taker === undefined) return
    if (this.#cadence.toWake) return this.#markAwake()
    const now = performance.now()
    if (!this.#cadence.toSleep(now)) return
    this.#marking = true
    const { db } = this.#source
    try {
      await db.query(markIdle(db.schema, this.#taker.worker, this.#queue, ASLEEP_FOR_MS))
      this.#cadence.marked(now, true)
      this.#taker.wake()
    } catch (error) {
      this.#onError(error)
    } finally {
      this.#marking = false
    }
  }

  async #markAwake(): Promise<void> {
    if (this.#marking || this.#taker === undefined) return
    this.#marking = true
    const { db } = this.#source
    try {
      await db.query(markBusy(db.schema, this.#taker.worker))
      this.#cadence.marked(0, false)
    } catch (error) {
      this.#onError(error)
    } finally {
      this.#marking = false
    }
  }

  async #close(patience: number): Promise<void> {
    // A statement to a server that does not answer must not hold up the end.
    await withinMs(this.#starter.stop(), FAREWELL_MS)
    const taker = this.#taker
    if (taker !== undefined) {
      await withinMs(taker.stopClaiming(), FAREWELL_MS)
      const drained = () =>
        new Promise<void>((resolve) => {
          this.#onDrained = resolve
          if (this.#jobs.size === 0) resolve()
        })
      if (!(await withinMs(drained(), patience))) await this.#handBack(taker, drained)
      await this.#farewell(taker)
    }
    this.#source.onClosed(this)
  }

  async #handBack(taker: Taker<T>, drained: () => Promise<void>): Promise<void> {
    const reason = queueError('QUEUE_CLOSED', 'The worker is closing, and its time is over.')
    for (const job of this.#jobs.values()) job.abort(reason)
    await withinMs(drained(), GRACE_MS)
    for (const [id, job] of this.#jobs) {
      // Its transaction decides; where that goes on, who finds the lease without a worker will see.
      if (this.#host.hasReceipt(job)) continue
      this.#jobs.delete(id)
      job.ended = true
      taker.holding.end(job.lease, job, { kind: 'returned' })
    }
  }

  /** Tells what ended and takes back the registration. What cannot be told runs again, once the worker is thought dead. */
  async #farewell(taker: Taker<T>): Promise<void> {
    const { db } = this.#source
    if (this.#maintenance !== undefined) await withinMs(this.#maintenance.stop(), FAREWELL_MS)
    const until = performance.now() + FAREWELL_MS
    const say = async () => {
      while (taker.holding.waiting > 0) {
        await taker.flush().catch(async (error) => {
          this.#onError(error)
          await later(FAREWELL_PAUSE_MS)
          if (performance.now() > until) throw error
        })
      }
      await Presence.of(db).leave(taker.worker)
      await db.query(leaveWorker(db.schema, taker.worker))
    }
    await withinMs(say().catch(this.#onError), FAREWELL_MS * 2)
    await withinMs(Presence.of(db).leave(taker.worker), FAREWELL_MS)
  }

  readonly #onError = (error: unknown): void => {
    this.#events.emit('error', error)
  }
}

function decode(output: string | undefined): unknown {
  return output === undefined ? undefined : JSON.parse(output)
}
