/**
 * A named queue of jobs.
 *
 * Invariants
 * - A job that `add` has answered for survives any crash of this process or the server, as the caller's commit does.
 * - Jobs run at least once: a worker that dies while one runs makes it due again when its lease ends.
 * - Adding takes no lock that another adder waits for, and no NOTIFY inside the caller's transaction.
 */
import { Database, tracer } from '@howdah/core'
import { queueError } from './errors.js'
import type { DeadLetter, Handler, QueueStats } from './job.js'
import { migrations } from './migrations/index.js'
import {
  type AddOptions,
  type QueueOptions,
  type ResolvedQueueOptions,
  resolveAddOptions,
  resolveName,
  resolveQueueOptions,
  resolveWorkOptions,
  type WorkOptions,
} from './options.js'
import { encodePayload } from './payload.js'
import { addJobs, type NewJob } from './sql/add-jobs.js'
import { countJobs } from './sql/count-jobs.js'
import { listDead } from './sql/list-dead.js'
import { purgeDead } from './sql/purge-dead.js'
import { redriveDead } from './sql/redrive-dead.js'
import { Worker } from './worker.js'

const addTracer = tracer('@howdah/queue:add')
const HUB_KIND = 'queue'
const MAX_LISTED = 1000

/**
 * A queue of jobs with payloads of type `T` (anything JSON can say).
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
 * await mails.add({ to: 'ada@example.org' }, { delay: '5m' })
 * const worker = mails.work(async (job) => {
 *   console.log('to', job.payload.to)
 * })
 * await worker.close()
 * ```
 */
export class Queue<T> {
  readonly #db: Database
  readonly #options: ResolvedQueueOptions
  readonly #workers = new Set<Worker<T>>()
  readonly #insert: (job: NewJob & { readonly order: string }) => Promise<string>
  #doorbell: Promise<() => void> | undefined
  #added = 0
  #closed = false

  /** The queue's name. Queues of one name on one database are one queue, in whatever process. */
  readonly name: string

  /**
   * Checks the options; does no I/O.
   *
   * @throws {@link HowdahError} QUEUE_INVALID_OPTION, CORE_INVALID_DURATION, CORE_INVALID_SOURCE
   */
  constructor(name: string, options: QueueOptions) {
    this.name = resolveName(name)
    this.#options = resolveQueueOptions(options)
    this.#db = Database.from(options.pool)
    this.#insert = this.#db.coalescer.operation({
      key: (job: NewJob & { readonly order: string }) => job.order,
      bytes: (job) => job.payload.length,
      run: async (jobs) => {
        const rows = await this.#db.query(addJobs(this.#db.schema, jobs))
        return rows.map((row) => row.id)
      },
    })
  }

  /**
   * Adds a job and answers its id. With `{ client }` the job exists only if that transaction commits; workers hear of it at once after a
   * {@link Database.transaction}, and within their `pollInterval` after a transaction of another library.
   *
   * @throws {@link HowdahError} QUEUE_INVALID_PAYLOAD, QUEUE_PAYLOAD_TOO_LARGE, QUEUE_INVALID_OPTION, QUEUE_CLOSED; nothing is added then
   */
  async add(payload: T, options: AddOptions = {}): Promise<string> {
    const job = this.#job(payload, options)
    await this.#ready()
    const id = await addTracer.run(
      () => ({ target: this.name, count: 1 }),
      async () => {
        if (options.client === undefined) {
          return this.#insert({ ...job, order: `queue:${this.name}:${this.#added++}` })
        }
        const [row] = await this.#db.query(addJobs(this.#db.schema, [job]), options.client)
        return (row as { readonly id: string }).id
      },
    )
    this.#announce(options)
    return id
  }

  /**
   * Adds several jobs with the same options in one statement, all or none, and answers their ids in order.
   *
   * @throws {@link HowdahError} as {@link Queue.add}; none is added then
   */
  async addMany(payloads: readonly T[], options: AddOptions = {}): Promise<string[]> {
    const jobs = payloads.map((payload) => this.#job(payload, options))
    await this.#ready()
    if (jobs.length === 0) return []
    const rows = await addTracer.run(
      () => ({ target: this.name, count: jobs.length }),
      () => this.#db.query(addJobs(this.#db.schema, jobs), options.client),
    )
    this.#announce(options)
    return rows.map((row) => row.id)
  }

  /**
   * Starts a worker in this process. It runs until it, or the queue, is closed, through any outage of the server.
   *
   * @throws {@link HowdahError} QUEUE_INVALID_OPTION, CORE_INVALID_DURATION, QUEUE_CLOSED
   */
  work(handler: Handler<T>, options: WorkOptions = {}): Worker<T> {
    if (typeof handler !== 'function') {
      throw queueError('QUEUE_INVALID_OPTION', 'The handler must be a function of a job.')
    }
    const resolved = resolveWorkOptions(options)
    this.#assertOpen()
    const worker = new Worker<T>(
      {
        db: this.#db,
        name: this.name,
        options: this.#options,
        handler,
        ready: () => this.#listen(),
        onClosed: (closed) => this.#workers.delete(closed),
      },
      resolved,
    )
    this.#workers.add(worker)
    return worker
  }

  /** Lists jobs that failed as often as they may, newest first; at most `limit` (up to 1000). @defaultValue limit `100` */
  async deadLetters({ limit = 100 }: { readonly limit?: number } = {}): Promise<DeadLetter<T>[]> {
    if (!Number.isSafeInteger(limit) || limit < 1 || limit > MAX_LISTED) {
      throw queueError(
        'QUEUE_INVALID_OPTION',
        `limit must be a whole number from 1 to ${MAX_LISTED}.`,
      )
    }
    await this.#ready()
    const rows = await this.#db.query(listDead(this.#db.schema, this.name, limit))
    return rows.map(({ payload, addedAt, diedAt, ...row }) => ({
      ...row,
      payload: JSON.parse(payload) as T,
      addedAt: new Date(addedAt),
      diedAt: new Date(diedAt),
    }))
  }

  /** Puts dead letters back into the queue with all attempts anew: those with the given ids, or all. Answers how many. */
  async redrive(ids?: readonly string[]): Promise<number> {
    await this.#ready()
    const rows = await this.#db.query(redriveDead(this.#db.schema, this.name, resolveIds(ids)))
    if (rows.length > 0) this.#db.hub.ring(HUB_KIND, this.name)
    return rows.length
  }

  /** Deletes dead letters for good: those with the given ids, or all. Answers how many. */
  async purgeDead(ids?: readonly string[]): Promise<number> {
    await this.#ready()
    const [row] = await this.#db.query(purgeDead(this.#db.schema, this.name, resolveIds(ids)))
    return row?.purged ?? 0
  }

  /** Counts the queue's jobs by state, exactly, as of now. Reads every job of the queue. */
  async stats(): Promise<QueueStats> {
    await this.#ready()
    const [row] = await this.#db.query(countJobs(this.#db.schema, this.name))
    return row as QueueStats
  }

  /** Closes the workers of this object, each waiting for its running jobs, and stops listening. Jobs stay; the pool stays open. */
  async close(): Promise<void> {
    this.#closed = true
    await Promise.all([...this.#workers].map((worker) => worker.close()))
    const unregister = await this.#doorbell?.catch(() => undefined)
    this.#doorbell = undefined
    await unregister?.()
  }

  /** Closes at the end of an `await using` block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #job(payload: T, options: AddOptions): NewJob {
    return {
      queue: this.name,
      payload: encodePayload(payload, this.#options.maxPayloadBytes),
      ...resolveAddOptions(options, this.#options),
    }
  }

  /** Wakes the workers, once the job can be seen and unless it is for later. */
  #announce({ client, delay, runAt }: AddOptions): void {
    if (delay !== undefined || runAt !== undefined) return
    this.#db.afterCommit(client, () => this.#db.hub.ring(HUB_KIND, this.name))
  }

  /** Hears of new jobs from now on. Without a hub that can listen, workers poll. */
  async #listen(): Promise<void> {
    await this.#ready()
    const wake = () => {
      for (const worker of this.#workers) worker.wake()
    }
    this.#doorbell ??= this.#db.hub.register(HUB_KIND, {
      onMessage: (name) => {
        if (name === this.name) wake()
      },
      onGap: wake,
    })
    try {
      await this.#doorbell
    } catch (error) {
      this.#doorbell = undefined
      throw error
    }
  }

  async #ready(): Promise<void> {
    this.#assertOpen()
    await this.#db.migrator.ensure(migrations)
  }

  #assertOpen(): void {
    if (this.#closed) throw queueError('QUEUE_CLOSED', 'This queue is closed. Make a new one.')
  }
}

function resolveIds(ids: readonly string[] | undefined): readonly string[] | null {
  if (ids === undefined) return null
  if (Array.isArray(ids) && ids.every((id) => typeof id === 'string' && /^\d{1,18}$/.test(id)))
    return ids
  throw queueError('QUEUE_INVALID_OPTION', 'Ids must be those that deadLetters() answers.')
}
