/**
 * Works on the messages of a pgmq queue.
 *
 * States: working -> closing (reads no more, tells what ended) -> closed. States of a job: held -> ended (waits to be told) -> told.
 *
 * Invariants
 * - A message is this worker's while its `read_ct` is what it was when read: whoever reads it after its visibility timeout raises it,
 *   and what this worker says of it then changes nothing.
 * - Held messages are hidden anew four times in a lease, by the main thread: a handler that blocks the event loop for a whole lease loses
 *   its jobs.
 * - Jobs running and asked for are never more than the places.
 * - A job that has seen its worker die runs while nothing else does in this worker, so that it takes no others along. What is read
 *   meanwhile of its like is handed back.
 */
import { setTimeout as later } from 'node:timers/promises'
import { type Database, Emitter, Loop, type Statement, type TransactionHandle } from '@howdah/core'
import { queueError } from '../../errors.js'
import { Job, type JobHost } from '../../job.js'
import type { ResolvedWorkOptions } from '../../work-options.js'
import type { End } from '../../worker/holding.js'
import { leaseLost } from '../../worker/job-host.js'
import { type Running, runBatch, runJob } from '../../worker/run-jobs.js'
import { withinMs } from '../../worker/within.js'
import type { Worker, WorkerEvents } from '../../worker.js'
import { unsupported } from '../engine.js'
import { notesOf, parseHeaders, traceOf } from './message.js'
import type { Level, ResolvedPgmqOptions } from './options.js'
import { type Ended, Settlement } from './settlement.js'
import {
  hide,
  holds,
  type MessageRow,
  pop,
  read,
  readWithPoll,
  removeMessages,
} from './statements.js'

const FIRST_POLL_MS = 10
const BEATS = 4
const MAX_READ = 500
const CLOSE_WITHIN_MS = 30_000
const FAREWELL_MS = 5_000
const GRACE_MS = 100
const DECISION_PAUSE_MS = 50

/** A message of ours, and the job it is. */
export interface Held<T> {
  readonly job: Job<T>
  readonly level: Level
  readonly row: MessageRow
  /** Its transaction decides whether it is complete. */
  inTransaction?: boolean
}

/** What a worker needs of its engine. */
export interface PgmqWorkerSource<T> {
  readonly db: Database
  readonly name: string
  readonly options: ResolvedPgmqOptions
  readonly running: Running<T>
  open(): Promise<void>
  onClosed(worker: PgmqWorker<T>): void
}

/** A running worker of the engine `pgmq`. */
export class PgmqWorker<T> implements Worker, JobHost {
  readonly queue: string
  readonly heartbeatOffThread = false
  readonly #of: PgmqWorkerSource<T>
  readonly #options: ResolvedWorkOptions
  readonly #places: number
  readonly #events = new Emitter<WorkerEvents>()
  readonly #held = new Map<string, Held<T>>()
  readonly #settlement: Settlement<T>
  readonly #reader: Loop
  readonly #heartbeat: Loop
  #running = 0
  /** A job that has seen its worker die waits for the others to end, or runs. */
  #draining = false
  #alone = false
  #pause = FIRST_POLL_MS
  #closing: Promise<void> | undefined
  #onDrained: (() => void) | undefined
  #onSettled: (() => void)[] = []

  constructor(of: PgmqWorkerSource<T>, options: ResolvedWorkOptions) {
    this.#of = of
    this.queue = of.name
    this.#options = options
    this.#places = options.concurrency * (options.batchSize ?? 1)
    this.#settlement = new Settlement(of.db, of.options, (told, dead) => this.#told(told, dead))
    const backoff = { initial: 100, max: 2_000 }
    this.#reader = new Loop({
      interval: options.pollInterval,
      keepAlive: true,
      backoff,
      run: () => this.#round(),
      onError: this.#onError,
    })
    this.#heartbeat = new Loop({
      interval: options.lease / BEATS,
      backoff,
      run: () => this.#beat(),
      onError: this.#onError,
    })
    this.#reader.start()
    this.#heartbeat.start()
  }

  on<Name extends keyof WorkerEvents>(
    name: Name,
    listener: (...args: WorkerEvents[Name]) => void,
  ): () => void {
    return this.#events.on(name, listener)
  }

  get running(): number {
    return this.#running
  }

  settled(): Promise<void> {
    return new Promise((resolve) => this.#onSettled.push(resolve))
  }

  report(error: unknown): void {
    this.#onError(error)
  }

  /** A job was added in this process: look now. */
  wake(): void {
    this.#pause = FIRST_POLL_MS
    this.#reader.wake()
  }

  close({
    withinMs: patience = CLOSE_WITHIN_MS,
  }: {
    readonly withinMs?: number
  } = {}): Promise<void> {
    this.#closing ??= this.#close(patience)
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async progress(): Promise<void> {
    throw unsupported('pgmq', 'progress')
  }

  async step<R>(): Promise<R> {
    throw unsupported('pgmq', 'steps')
  }

  async children(): Promise<never> {
    throw unsupported('pgmq', 'flows')
  }

  async heartbeat(job: Job<unknown>): Promise<void> {
    const { level, row } = this.#mine(job)
    const [state] = await this.#of.db.query(holds(level.queue, row.id, row.readCt))
    if (state?.there !== true) throw leaseLost(job)
  }

  async complete(job: Job<unknown>, client: TransactionHandle, output: unknown): Promise<void> {
    if (output !== undefined) throw unsupported('pgmq', 'outputs')
    if (this.#of.options.atMostOnce)
      throw unsupported('pgmq', 'completion of a job that is gone (atMostOnce)')
    const held = this.#mine(job)
    const { level, row } = held
    held.inTransaction = true
    const how = this.#of.options.archive ? 'archive' : 'delete'
    const statement = removeMessages[how](level.queue, [row.id], [row.readCt])
    const rows = await this.#of.db.query(statement, client)
    if (rows.length === 0) throw leaseLost(job)
  }

  #mine(job: Job<unknown>): Held<T> {
    const held = this.#held.get(job.id)
    if (held === undefined || held.job !== job || job.ended) throw leaseLost(job)
    return held
  }

  /** Tells what ended, and reads as much as there is room for. */
  async #round(): Promise<number> {
    const { db, options, open } = this.#of
    await open()
    const flushed = this.#settlement.flush()
    // Heard below, after the reading.
    flushed.catch(() => {})
    let room = this.#room()
    const wanted = room
    if (room > 0) this.#draining = false
    try {
      for (const level of options.levels) {
        if (room <= 0 || this.#alone || this.#closing !== undefined) break
        const rows = await db.query(this.#reading(level.queue, room))
        if (rows.length === 0) continue
        room -= rows.length
        await this.#start(level, rows)
      }
    } finally {
      await flushed
    }
    const found = wanted - Math.max(room, 0)
    if (found === 0 && this.#running === 0) this.#tellSettled()
    if (this.#settlement.waiting > 0 || (found > 0 && room <= 0)) return 0
    if (found > 0) this.#pause = FIRST_POLL_MS
    const pause = Math.min(this.#pause, this.#options.pollInterval)
    this.#pause = Math.min(this.#pause * 2, this.#options.pollInterval)
    return pause
  }

  /** How many jobs may be read now. */
  #room(): number {
    if (this.#alone) return 0
    if (this.#draining) return this.#running === 0 ? 1 : 0
    const { batchSize = this.#places } = this.#options
    return Math.min(MAX_READ, batchSize, this.#places - this.#running)
  }

  #reading(queue: string, room: number): Statement<MessageRow> {
    const { db, options } = this.#of
    const seconds = Math.ceil(this.#options.lease / 1000)
    if (options.atMostOnce) return pop(db.schema, queue, room)
    const idle = this.#running === 0 && this.#settlement.waiting === 0
    if (options.longPollSeconds === 0 || !idle) return read(db.schema, queue, seconds, room)
    return readWithPoll(db.schema, queue, seconds, room, options.longPollSeconds)
  }

  async #start(level: Level, rows: readonly MessageRow[]): Promise<void> {
    const batch: Held<T>[] = []
    const suspects: Held<T>[] = []
    for (const row of rows) {
      const held = { level, row, job: this.#job(level, row) }
      const notes = notesOf(parseHeaders(row.headers))
      // A job that is gone from the queue can neither be buried nor handed back.
      const crashes = this.#of.options.atMostOnce
        ? 0
        : row.readCt - 1 - (notes.failures ?? 0) - (notes.free ?? 0)
      if (crashes >= this.#of.options.maxCrashes) {
        const error = `Its worker died ${crashes} times.`
        this.#settlement.end(held, { kind: 'failed', error }, true)
      } else (crashes > 0 ? suspects : batch).push(held)
    }
    if (suspects.length > 0) await this.#isolate(suspects, batch)
    this.#running += batch.length
    for (const held of batch) this.#held.set(held.job.id, held)
    const { running } = this.#of
    if (!running.batch) {
      for (const held of batch) void runJob(running, held.job).then((end) => this.#ended(held, end))
      return
    }
    if (batch.length === 0) return
    void runBatch(
      running,
      batch.map((held) => held.job),
    ).then((ends) => {
      for (const [at, held] of batch.entries()) void this.#ended(held, ends[at] as End)
    })
  }

  /** Lets the first of them run if nothing else does, and hands back the others. */
  async #isolate(suspects: readonly Held<T>[], batch: Held<T>[]): Promise<void> {
    this.#alone = batch.length === 0 && this.#running === 0
    const [first, ...rest] = suspects as [Held<T>, ...Held<T>[]]
    for (const held of this.#alone ? rest : suspects)
      this.#settlement.end(held, { kind: 'returned' })
    this.#draining = !this.#alone || rest.length > 0
    if (!this.#alone) return
    batch.push(first)
    try {
      // Before it starts: should it take the worker along, the others are not counted.
      while (this.#settlement.waiting > 0) await this.#settlement.flush()
    } catch (error) {
      // Then it does not start, and is read again once its visibility timeout is over.
      this.#alone = false
      throw error
    }
  }

  #job(level: Level, row: MessageRow): Job<T> {
    const headers = parseHeaders(row.headers)
    const notes = notesOf(headers)
    return new Job<T>(this, '', 0, {
      id: level.priority === 0 ? row.id : `${level.priority}:${row.id}`,
      payload: (row.message === null ? null : JSON.parse(row.message)) as T,
      attempt: row.readCt - (notes.free ?? 0),
      maxAttempts: notes.attempts ?? this.#of.options.attempts,
      priority: level.priority,
      addedAt: row.addedAt,
      key: undefined,
      group: undefined,
      trace: traceOf(headers),
    })
  }

  async #ended(held: Held<T>, ended: End): Promise<void> {
    const end = held.inTransaction === true ? await this.#decide(held, ended) : ended
    if (held.job.ended) return
    held.job.ended = true
    this.#running--
    this.#held.delete(held.job.id)
    if (end !== undefined && !this.#of.options.atMostOnce) this.#settlement.end(held, end)
    else this.#told([{ held, end: end ?? { kind: 'completed' } }], new Set([held.job]))
    this.#reader.wake()
    if (this.#running === 0) {
      this.#alone = false
      this.#onDrained?.()
    }
  }

  /** What became of a job whose handler has completed it in a transaction; `undefined` if that was committed. */
  async #decide({ level, row }: Held<T>, ended: End): Promise<End | undefined> {
    for (;;) {
      try {
        const [state] = await this.#of.db.query(holds(level.queue, row.id, row.readCt))
        if (state?.there === false) return undefined
        if (state?.free === true) break
      } catch (error) {
        this.#onError(error)
      }
      await later(DECISION_PAUSE_MS)
    }
    if (ended.kind !== 'completed') return ended
    const error =
      'The transaction that was to complete the job was not committed when its handler returned.'
    return { kind: 'failed', error, cause: queueError('QUEUE_JOB_FAILED', error) }
  }

  #told(told: readonly Ended<T>[], dead: ReadonlySet<Job<T>>): void {
    for (const { held, end, lost } of told) {
      const job = held.job as Job<unknown>
      if (lost === true) this.#events.emit('error', leaseLost(job))
      else if (end.kind === 'completed') {
        this.#events.emit(
          'completed',
          job,
          end.output === undefined ? undefined : JSON.parse(end.output),
        )
      } else if (end.kind === 'failed' || end.kind === 'discarded') {
        this.#events.emit('failed', job, end.cause, end.kind === 'discarded' || dead.has(held.job))
      }
    }
    this.#tellSettled()
  }

  #tellSettled(): void {
    for (const resolve of this.#onSettled.splice(0)) resolve()
  }

  async #beat(): Promise<undefined> {
    const { db, options } = this.#of
    if (options.atMostOnce) return
    for (const level of options.levels) {
      const held = [...this.#held.values()].filter(
        (each) => each.level === level && !each.inTransaction,
      )
      if (held.length === 0) continue
      const rows = await db.query(
        hide(
          level.queue,
          held.map(({ row }) => row.id),
          held.map(({ row }) => row.readCt),
          held.map(() => this.#options.lease),
          held.map(() => null),
        ),
      )
      const mine = new Set(rows.map((row) => row.id))
      for (const each of held) {
        if (mine.has(each.row.id) || each.job.ended) continue
        if (each.inTransaction !== true) each.job.abort(leaseLost(each.job))
      }
    }
  }

  async #close(patience: number): Promise<void> {
    await withinMs(this.#reader.stop(), FAREWELL_MS)
    const drained = () =>
      new Promise<void>((resolve) => {
        this.#onDrained = resolve
        if (this.#running === 0) resolve()
      })
    if (!(await withinMs(drained(), patience))) {
      const reason = queueError('QUEUE_CLOSED', 'The worker is closing, and its time is over.')
      for (const { job } of this.#held.values()) job.abort(reason)
      await withinMs(drained(), GRACE_MS)
      for (const held of this.#held.values()) {
        if (held.inTransaction === true) continue
        held.job.ended = true
        this.#running--
        this.#held.delete(held.job.id)
        if (!this.#of.options.atMostOnce) this.#settlement.end(held, { kind: 'returned' })
      }
    }
    await withinMs(this.#heartbeat.stop(), FAREWELL_MS)
    const until = performance.now() + FAREWELL_MS
    const say = async () => {
      while (this.#settlement.waiting > 0 && performance.now() < until) {
        await this.#settlement.flush().catch(async (error) => {
          this.#onError(error)
          await later(DECISION_PAUSE_MS)
        })
      }
    }
    await withinMs(say(), FAREWELL_MS * 2)
    this.#of.onClosed(this)
  }

  readonly #onError = (error: unknown): void => {
    this.#events.emit('error', error)
  }
}
