/**
 * A named queue of jobs.
 *
 * Invariants
 * - A job that `add` has answered for survives any crash of this process or the server, as the caller's commit does.
 * - Jobs run at least once: those of a worker that dies run again.
 * - Adding takes no lock that another adder waits for, unless they add the same key, and sends a notification only while a worker sleeps.
 */
import { Database, type MetricReader, type MetricSource, tracer, validate } from '@howdah/core'
import { type AddOptions, type JobSpec, jobSpec } from './add-options.js'
import { type Capability, type QueueEngine, unsupported } from './engines/engine.js'
import { engineOf } from './engines/engine-of.js'
import { closedError, NativeEngine } from './engines/native.js'
import { queueError, refused } from './errors.js'
import type { BatchHandler, Handler, TraceHeaders } from './job.js'
import { EventStream, type QueueEvents } from './operations/event-stream.js'
import { addFlowTree, type FlowIds, type FlowJob } from './operations/flow.js'
import type { JobInfo, JobList, ListOptions } from './operations/job-info.js'
import type { DeadLetter, RescheduleOptions, WriteOptions } from './operations/operations.js'
import { queueReader } from './operations/queue-metrics.js'
import { type ResultOptions, Results } from './operations/results.js'
import type { QueueStats } from './operations/stats.js'
import {
  type QueueOptions,
  type ResolvedQueueOptions,
  resolveName,
  resolveQueueOptions,
} from './options.js'
import { encodePayload } from './payload.js'
import { type ScheduleOptions, Schedules, type ScheduleTime } from './schedules/schedules.js'
import { resolveWorkOptions, type WorkOptions } from './work-options.js'
import { currentJob } from './worker/run-jobs.js'
import type { Worker } from './worker.js'

const addTracer = tracer('@howdah/queue:add')

/**
 * A queue of jobs with payloads of type `T` (anything JSON can say), whose handlers answer `R`.
 *
 * Delivery is at least once, in order of priority and then of due time; with several workers, or after a retry, jobs overtake one
 * another. Make handlers safe to repeat.
 *
 * @example
 * ```ts
 * import { Queue } from '@howdah/queue'
 * import { Pool } from 'pg'
 *
 * const mails = new Queue<{ to: string }>('mails', { pool: new Pool() })
 * await mails.add({ to: 'ada@example.org' }, { delay: '10m' })
 * const worker = mails.work(async (job) => {
 *   job.signal.throwIfAborted()
 *   return { sentTo: job.payload.to }
 * })
 * await worker.close()
 * ```
 */
export class Queue<T = unknown, R = unknown> implements MetricSource {
  readonly #db: Database
  readonly #options: ResolvedQueueOptions<T, R>
  readonly #engine: QueueEngine<T>
  readonly #native: NativeEngine<T> | undefined
  readonly #stream: EventStream
  readonly #results: Results
  /** Those of the queue's schedules, and what can be done to them. */
  readonly schedules: Schedules<T>
  #closed = false

  /** The queue's name. Queues of one name on one database are one queue, in whatever process. */
  readonly name: string

  /**
   * Checks the options; does no I/O.
   *
   * @throws {@link HowdahError} QUEUE_INVALID_OPTION, CORE_INVALID_DURATION, CORE_INVALID_SOURCE
   */
  constructor(name: string, options: QueueOptions<T, R>) {
    this.name = resolveName(name)
    this.#options = resolveQueueOptions(options)
    this.#db = Database.from(options.pool)
    this.#engine = engineOf<T>(this.#db, this.name, options, this.#options.settings)
    this.#native = this.#engine instanceof NativeEngine ? this.#engine : undefined
    const open = async () => this.#needs('results').open()
    this.#stream = new EventStream(this.#db, open)
    this.#results = new Results(this.#db, open, this.#stream)
    this.schedules = new Schedules<T>({
      db: this.#db,
      open: async () => this.#needs('schedules').open(),
      encode: (payload) => this.#encode(payload),
      onError: (error) => this.#native?.report(error),
    })
  }

  /** @internal For the testing helpers. */
  static async internals<T, R>(
    queue: Queue<T, R>,
  ): Promise<{ readonly db: Database; readonly number: number }> {
    return { db: queue.#db, number: await queue.#needs('schedules').open() }
  }

  /** What the queue's engine can do beyond adding, working, counting and dead letters. */
  get capabilities(): ReadonlySet<Capability> {
    return this.#engine.capabilities
  }

  /**
   * Adds a job and answers its id. With `{ client }` the job exists only if that transaction commits. Calls made at the same time share a
   * statement. With a `key` that a job holds it answers the id of that job.
   *
   * @throws {@link HowdahError} QUEUE_INVALID_PAYLOAD, QUEUE_PAYLOAD_TOO_LARGE, QUEUE_INVALID_OPTION, QUEUE_CLOSED; nothing is added then
   */
  async add(payload: T, options: AddOptions = {}): Promise<string> {
    const spec = this.#spec(options)
    const text = await this.#encode(payload)
    return addTracer.run(
      () => ({ target: this.name, count: 1 }),
      () => this.#engine.addOne(text, spec, options.client),
    )
  }

  /**
   * Adds several jobs in one statement, all or none, and answers their ids in order. The options are the same for all, but for the
   * transaction, when they are answered by a function of each payload.
   *
   * @throws {@link HowdahError} as {@link Queue.add}; none is added then
   */
  async addMany(
    payloads: readonly T[],
    options: AddOptions | ((payload: T, at: number) => Omit<AddOptions, 'client'>) = {},
    {
      client = typeof options === 'function' ? undefined : options.client,
    }: Pick<AddOptions, 'client'> = {},
  ): Promise<string[]> {
    const spec =
      typeof options === 'function'
        ? payloads.map((payload, at) => this.#spec(options(payload, at)))
        : this.#spec(options)
    const texts: string[] = []
    for (const payload of payloads) {
      texts.push(
        this.#options.input === undefined ? this.#text(payload) : await this.#encode(payload),
      )
    }
    if (texts.length === 0) return []
    return addTracer.run(
      () => ({ target: this.name, count: texts.length }),
      () => this.#engine.addMany(texts, spec, client),
    )
  }

  /**
   * Adds a job with the jobs it waits for, to any depth, in one statement: all or none. It starts when the last of its children has ended, and
   * `job.children()` answers what they did. A child that fails for good fails its parent, unless it is tolerated. Children's payloads are
   * not checked by the schemas of their queues.
   *
   * @throws {@link HowdahError} QUEUE_INVALID_OPTION, QUEUE_INVALID_PAYLOAD, QUEUE_PAYLOAD_TOO_LARGE, QUEUE_CLOSED; nothing is added then
   */
  async addFlow(root: FlowJob<T>, { client }: Pick<AddOptions, 'client'> = {}): Promise<FlowIds> {
    const payload = await this.#checked(root.payload)
    const source = {
      db: this.#db,
      name: this.name,
      queue: await this.#needs('flows').open(),
      maxPayloadBytes: this.#options.maxPayloadBytes,
      trace: this.#trace(),
    }
    return addFlowTree(source, { ...root, payload }, client).catch(refused)
  }

  /**
   * Adds a job again and again: makes the schedule of this name, or changes it. Any number of processes may say the same; each slot
   * runs once, by the database's clock, while a process is up that works on this queue or has called this.
   *
   * @example
   * ```ts
   * import { Queue } from '@howdah/queue'
   * import { Pool } from 'pg'
   *
   * const reports = new Queue<{ of: string }>('reports', { pool: new Pool() })
   * await reports.schedule('nightly', '0 3 * * *', { of: 'all' }, { timezone: 'Europe/Berlin', catchUp: 'last' })
   * await reports.schedule('often', { every: '10s' }, { of: 'now' }, { overlap: 'skip' })
   * ```
   *
   * @throws {@link HowdahError} QUEUE_INVALID_OPTION, CORE_INVALID_DURATION, QUEUE_INVALID_PAYLOAD, QUEUE_EXTENSION_MISSING, QUEUE_CLOSED
   */
  schedule(
    name: string,
    time: ScheduleTime,
    payload: T,
    options: ScheduleOptions = {},
  ): Promise<void> {
    return this.schedules.set(name, time, payload, options)
  }

  /**
   * Waits for a job to end, in whatever process it runs, and answers what its handler answered.
   *
   * @throws {@link HowdahError} QUEUE_JOB_FAILED when it ended in another way than completed, QUEUE_NOT_FOUND when there is no such job (any
   * more), QUEUE_WAIT_TIMEOUT after `timeout`, QUEUE_CLOSED when the queue is closed meanwhile
   */
  result(id: string, options: ResultOptions = {}): Promise<R> {
    return this.#results.wait(id, options) as Promise<R>
  }

  /**
   * Calls back on each event of the queue, from all processes, until the function it resolves with is called. Events are lost while the
   * connection is, and cost nothing while nobody listens.
   *
   * @throws {@link HowdahError} QUEUE_CLOSED
   */
  on<Name extends keyof QueueEvents & string>(
    name: Name,
    listener: (...args: QueueEvents[Name]) => void,
  ): Promise<() => Promise<void>> {
    return this.#stream.on(name, listener as never)
  }

  /**
   * Starts a worker in this process. It runs until it, or the queue, is closed, through any outage of the server.
   *
   * @throws {@link HowdahError} QUEUE_INVALID_OPTION, CORE_INVALID_DURATION, QUEUE_CLOSED
   */
  work(handler: BatchHandler<T, R>, options: WorkOptions & { readonly batchSize: number }): Worker
  work(handler: Handler<T, R>, options?: WorkOptions & { readonly batchSize?: undefined }): Worker
  work(handler: Handler<T, R> | BatchHandler<T, R>, options: WorkOptions = {}): Worker {
    if (typeof handler !== 'function') {
      throw queueError('QUEUE_INVALID_OPTION', 'The handler must be a function of a job.')
    }
    const resolved = resolveWorkOptions(options)
    this.#assertOpen()
    const worker = this.#engine.work(
      {
        queue: this.name,
        handler: handler as Handler<T> | BatchHandler<T>,
        batch: resolved.batchSize !== undefined,
        output: this.#options.output,
        around: resolved.around as (<A>(job: unknown, run: () => A) => A) | undefined,
      },
      resolved,
    )
    if (this.#native !== undefined) this.schedules.start()
    return worker
  }

  /** Counts the queue's jobs, exactly, as of now; as cheap with a million of them as with ten. */
  stats(): Promise<QueueStats> {
    return this.#engine.stats()
  }

  /** What `metrics()` of `@howdah/core/metrics` reads. */
  get metricReader(): MetricReader {
    return queueReader(this.name, () => this.stats())
  }

  /**
   * Answers a job as it stands, also for as long as it is kept after its end; `undefined` where the queue has none with this id.
   *
   * @throws {@link HowdahError} QUEUE_INVALID_OPTION
   */
  get(id: string): Promise<JobInfo<T> | undefined> {
    return this.#engine.get(id)
  }

  /**
   * Lists jobs of one state, page by page.
   *
   * @throws {@link HowdahError} QUEUE_INVALID_OPTION
   */
  async list(options: ListOptions = {}): Promise<JobList<T>> {
    return this.#needs('list').list(options)
  }

  /**
   * Lists dead letters, newest first; at most `limit`, up to 1000. @defaultValue limit `100`
   *
   * @throws {@link HowdahError} QUEUE_INVALID_OPTION
   */
  deadLetters(options: { readonly limit?: number | undefined } = {}): Promise<DeadLetter<T>[]> {
    return this.#engine.deadLetters(options)
  }

  /**
   * Puts dead letters back into the queue with all attempts anew: those with the given ids, or all. They keep their ids. Answers how many.
   *
   * @throws {@link HowdahError} QUEUE_INVALID_OPTION
   */
  redrive(ids?: readonly string[], options: WriteOptions = {}): Promise<number> {
    return this.#engine.redrive(ids, options)
  }

  /**
   * Deletes dead letters for good: those with the given ids, or all. Answers how many.
   *
   * @throws {@link HowdahError} QUEUE_INVALID_OPTION
   */
  purgeDead(ids?: readonly string[], options: WriteOptions = {}): Promise<number> {
    return this.#engine.purgeDead(ids, options)
  }

  /** Removes all jobs that wait or are delayed, in batches of a thousand. Answers how many. */
  clear(options: WriteOptions = {}): Promise<number> {
    return this.#engine.clear(options)
  }

  /**
   * Cancels a job, wherever it is: `cancelled` (it waited, and is gone), `cancelling` (it runs: its signal aborts, and it ends as cancelled
   * if its handler throws then), `ended`, or `unknown`.
   *
   * @throws {@link HowdahError} QUEUE_INVALID_OPTION
   */
  cancel(
    id: string,
    options: WriteOptions = {},
  ): Promise<'cancelled' | 'cancelling' | 'ended' | 'unknown'> {
    return this.#engine.cancel(id, options)
  }

  /**
   * Gives a job that waits another priority or time. Answers `false` for one that runs or has ended.
   *
   * @throws {@link HowdahError} QUEUE_INVALID_OPTION, CORE_INVALID_DURATION
   */
  async reschedule(
    id: string,
    to: RescheduleOptions,
    options: WriteOptions = {},
  ): Promise<boolean> {
    return this.#needs('reschedule').reschedule(id, to, options)
  }

  /** Stops claiming in all processes, from each one's next claim on. What runs goes on; adding goes on. */
  async pause(options: WriteOptions = {}): Promise<void> {
    return this.#needs('pause').pause(true, options)
  }

  /** Goes on claiming. */
  async resume(options: WriteOptions = {}): Promise<void> {
    return this.#needs('pause').pause(false, options)
  }

  /** Closes the workers of this object, each waiting for its running jobs, and stops listening. Jobs stay; the pool stays open. */
  async close(options: { readonly withinMs?: number } = {}): Promise<void> {
    this.#closed = true
    await this.schedules.stop()
    await this.#engine.close(options)
    await this.#results.close()
  }

  /** Closes at the end of an `await using` block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** @throws {@link HowdahError} QUEUE_UNSUPPORTED */
  #needs(capability: Capability): NativeEngine<T> {
    if (this.#native !== undefined) return this.#native
    throw unsupported(this.#engine.name, capability)
  }

  async #encode(payload: T): Promise<string> {
    return this.#text(await this.#checked(payload))
  }

  async #checked(payload: T): Promise<T> {
    const { input } = this.#options
    if (input === undefined) return payload
    return validate(input, payload, 'The payload', (message, cause) =>
      queueError('QUEUE_INVALID_PAYLOAD', message, cause),
    )
  }

  #text(payload: T): string {
    return encodePayload(payload, this.#options.maxPayloadBytes)
  }

  #spec(options: AddOptions): JobSpec {
    return jobSpec(options, this.#trace())
  }

  #trace(): TraceHeaders | undefined {
    return this.#options.trace?.() ?? currentJob.getStore()?.trace
  }

  #assertOpen(): void {
    if (this.#closed) throw closedError()
  }
}
