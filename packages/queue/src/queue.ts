/**
 * A named queue of jobs.
 *
 * Invariants
 * - A job that `add` has answered for survives any crash of this process or the server, as the caller's commit does.
 * - Jobs run at least once: those of a worker that dies run again.
 * - Adding takes no lock that another adder waits for, unless they add the same key, and sends a notification only while a worker sleeps.
 */
import { coreMigrations, Database, type Statement, tracer } from '@howdah/core'
import { type AddOptions, type JobSpec, jobSpec } from './add-options.js'
import { queueError, refused } from './errors.js'
import { EventSink } from './events.js'
import type { BatchHandler, Handler, TraceHeaders } from './job.js'
import { migrations } from './migrations/index.js'
import { EventStream, type QueueEvents } from './operations/event-stream.js'
import { addFlowTree, type FlowIds, type FlowJob } from './operations/flow.js'
import type { JobInfo, JobList, ListOptions } from './operations/job-info.js'
import {
  type DeadLetter,
  Operations,
  type RescheduleOptions,
  type WriteOptions,
} from './operations/operations.js'
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
import { validate } from './schema.js'
import { addJobs } from './sql/add-jobs.js'
import { openQueue } from './sql/open-queue.js'
import { resolveWorkOptions, type WorkOptions } from './work-options.js'
import { listenForWorkers } from './worker/doorbell.js'
import { currentJob } from './worker/run-jobs.js'
import { Worker } from './worker/worker.js'

const addTracer = tracer('@howdah/queue:add')

interface Added {
  readonly payload: string
  readonly spec: string | null
  readonly order: number
}

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
export class Queue<T = unknown, R = unknown> {
  readonly #db: Database
  readonly #options: ResolvedQueueOptions<T, R>
  readonly #workers = new Set<Worker<T>>()
  readonly #insert: (job: Added) => Promise<string>
  readonly #events: EventSink
  readonly #operations: Operations<T>
  readonly #stream: EventStream
  readonly #results: Results
  /** Those of the queue's schedules, and what can be done to them. */
  readonly schedules: Schedules<T>
  #opening: Promise<number> | undefined
  #listening: Promise<() => Promise<void>> | undefined
  #added = 0
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
    this.#events = new EventSink(this.#db, () => {})
    const open = () => this.#open()
    this.#operations = new Operations(this.#db, open)
    this.#stream = new EventStream(this.#db, open)
    this.#results = new Results(this.#db, open, this.#stream)
    this.schedules = new Schedules<T>({
      db: this.#db,
      open,
      encode: (payload) => this.#encode(payload),
      onError: (error) => {
        for (const worker of this.#workers) worker.report(error)
      },
    })
    this.#insert = this.#db.coalescer.operation({
      key: (job: Added) => `queue:${this.name}:${job.order}`,
      bytes: (job) => job.payload.length,
      run: (jobs) => this.#insertMany(jobs),
    })
  }

  /** @internal For the testing helpers. */
  static async internals<T, R>(
    queue: Queue<T, R>,
  ): Promise<{ readonly db: Database; readonly number: number }> {
    return { db: queue.#db, number: await queue.#open() }
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
    const queue = await this.#open()
    return addTracer.run(
      () => ({ target: this.name, count: 1 }),
      async () => {
        if (options.client === undefined) {
          const rested = spec === null ? this.#resting() : undefined
          if (rested !== undefined) return rested.handOver(text)
          return this.#insert({
            payload: text,
            spec: encodeSpec(spec),
            order: this.#added++,
          }).catch(refused)
        }
        const statement = addJobs(this.#db.schema, queue, [text], encodeSpec(spec))
        return (await this.#write(statement, options.client)).ids
      },
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
    const queue = await this.#open()
    if (texts.length === 0) return []
    const statement = addJobs(this.#db.schema, queue, texts, encodeSpec(spec))
    const { ids } = await addTracer.run(
      () => ({ target: this.name, count: texts.length }),
      () => this.#write(statement, client),
    )
    return ids.split(',')
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
      queue: await this.#open(),
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
  work(
    handler: BatchHandler<T, R>,
    options: WorkOptions & { readonly batchSize: number },
  ): Worker<T>
  work(
    handler: Handler<T, R>,
    options?: WorkOptions & { readonly batchSize?: undefined },
  ): Worker<T>
  work(handler: Handler<T, R> | BatchHandler<T, R>, options: WorkOptions = {}): Worker<T> {
    if (typeof handler !== 'function') {
      throw queueError('QUEUE_INVALID_OPTION', 'The handler must be a function of a job.')
    }
    const resolved = resolveWorkOptions(options)
    this.#assertOpen()
    const worker = new Worker<T>(
      {
        db: this.#db,
        name: this.name,
        running: {
          queue: this.name,
          handler: handler as Handler<T> | BatchHandler<T>,
          batch: resolved.batchSize !== undefined,
          output: this.#options.output,
          around: resolved.around as (<A>(job: unknown, run: () => A) => A) | undefined,
        },
        events: this.#events,
        open: () => this.#listen(),
        onClosed: (closed) => this.#workers.delete(closed),
      },
      resolved,
    )
    this.#workers.add(worker)
    this.schedules.start()
    return worker
  }

  /** Counts the queue's jobs, exactly, as of now; as cheap with a million of them as with ten. */
  stats(): Promise<QueueStats> {
    return this.#operations.stats()
  }

  /**
   * Answers a job as it stands, also for as long as it is kept after its end; `undefined` where the queue has none with this id.
   *
   * @throws {@link HowdahError} QUEUE_INVALID_OPTION
   */
  get(id: string): Promise<JobInfo<T> | undefined> {
    return this.#operations.get(id)
  }

  /**
   * Lists jobs of one state, page by page.
   *
   * @throws {@link HowdahError} QUEUE_INVALID_OPTION
   */
  list(options: ListOptions = {}): Promise<JobList<T>> {
    return this.#operations.list(options)
  }

  /**
   * Lists dead letters, newest first; at most `limit`, up to 1000. @defaultValue limit `100`
   *
   * @throws {@link HowdahError} QUEUE_INVALID_OPTION
   */
  deadLetters(options: { readonly limit?: number | undefined } = {}): Promise<DeadLetter<T>[]> {
    return this.#operations.deadLetters(options)
  }

  /**
   * Puts dead letters back into the queue with all attempts anew: those with the given ids, or all. They keep their ids. Answers how many.
   *
   * @throws {@link HowdahError} QUEUE_INVALID_OPTION
   */
  redrive(ids?: readonly string[], options: WriteOptions = {}): Promise<number> {
    return this.#operations.redrive(ids, options)
  }

  /**
   * Deletes dead letters for good: those with the given ids, or all. Answers how many.
   *
   * @throws {@link HowdahError} QUEUE_INVALID_OPTION
   */
  purgeDead(ids?: readonly string[], options: WriteOptions = {}): Promise<number> {
    return this.#operations.purgeDead(ids, options)
  }

  /** Removes all jobs that wait or are delayed, in batches of a thousand. Answers how many. */
  clear(options: WriteOptions = {}): Promise<number> {
    return this.#operations.clear(options)
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
    return this.#operations.cancel(id, options)
  }

  /**
   * Gives a job that waits another priority or time. Answers `false` for one that runs or has ended.
   *
   * @throws {@link HowdahError} QUEUE_INVALID_OPTION, CORE_INVALID_DURATION
   */
  reschedule(id: string, to: RescheduleOptions, options: WriteOptions = {}): Promise<boolean> {
    return this.#operations.reschedule(id, to, options)
  }

  /** Stops claiming in all processes, from each one's next claim on. What runs goes on; adding goes on. */
  pause(options: WriteOptions = {}): Promise<void> {
    return this.#operations.pause(true, options)
  }

  /** Goes on claiming. */
  resume(options: WriteOptions = {}): Promise<void> {
    return this.#operations.pause(false, options)
  }

  /** Closes the workers of this object, each waiting for its running jobs, and stops listening. Jobs stay; the pool stays open. */
  async close(options: { readonly withinMs?: number } = {}): Promise<void> {
    this.#closed = true
    await this.schedules.stop()
    await Promise.all([...this.#workers].map((worker) => worker.close(options)))
    await this.#results.close()
    const unregister = await this.#listening?.catch(() => undefined)
    this.#listening = undefined
    await unregister?.()
  }

  /** Closes at the end of an `await using` block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** A worker of ours that sleeps gets the job without having to be woken. */
  #resting(): Worker<T> | undefined {
    for (const worker of this.#workers) if (worker.resting) return worker
    return undefined
  }

  async #write(
    statement: Statement<{ readonly ids: string }>,
    client: AddOptions['client'],
  ): Promise<{ readonly ids: string }> {
    const [row] = await this.#db.query(statement, client).catch(refused)
    return row as { readonly ids: string }
  }

  async #encode(payload: T): Promise<string> {
    return this.#text(await this.#checked(payload))
  }

  async #checked(payload: T): Promise<T> {
    const { input } = this.#options
    if (input === undefined) return payload
    return validate(input, payload, 'QUEUE_INVALID_PAYLOAD', 'The payload')
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

  /** Jobs added at the same time; those with the same options share a statement. */
  async #insertMany(jobs: readonly Added[]): Promise<string[]> {
    const queue = await this.#open()
    const alike = jobs.every((job) => job.spec === jobs[0]?.spec)
    const spec = alike
      ? (jobs[0]?.spec ?? null)
      : `[${jobs.map((job) => job.spec ?? 'null').join(',')}]`
    const texts = jobs.map((job) => job.payload)
    const [row] = await this.#db.query(addJobs(this.#db.schema, queue, texts, spec))
    return (row as { readonly ids: string }).ids.split(',')
  }

  /** Hears of new jobs from now on. Without a hub that can listen, workers poll. */
  async #listen(): Promise<number> {
    const queue = await this.#open()
    // Not waited for: where listening takes time, workers look by themselves meanwhile.
    this.#listening ??= listenForWorkers(this.#db.hub, String(queue), this.#workers)
    this.#listening.catch(() => {
      this.#listening = undefined
    })
    return queue
  }

  #open(): Promise<number> {
    if (this.#closed) return Promise.reject(closed())
    this.#opening ??= this.#openOnce().catch((error) => {
      this.#opening = undefined
      throw error
    })
    return this.#opening
  }

  async #openOnce(): Promise<number> {
    await this.#db.migrator.ensure(coreMigrations)
    await this.#db.migrator.ensure(migrations)
    const settings = JSON.stringify(this.#options.settings)
    const [row] = await this.#db.query(openQueue(this.#db.schema, this.name, settings))
    return (row as { readonly id: number }).id
  }

  #assertOpen(): void {
    if (this.#closed) throw closed()
  }
}

function closed() {
  return queueError('QUEUE_CLOSED', 'This queue is closed. Make a new one.')
}

function encodeSpec(spec: JobSpec | readonly JobSpec[]): string | null {
  return spec === null ? null : JSON.stringify(spec)
}
