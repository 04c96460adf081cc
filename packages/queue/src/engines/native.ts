import { coreMigrations, type Database, type TransactionHandle } from '@howdah/core'
import type { JobSpec } from '../add-options.js'
import { queueError, refused } from '../errors.js'
import { EventSink } from '../events.js'
import { migrations } from '../migrations/index.js'
import { Operations } from '../operations/operations.js'
import type { ResolvedQueueOptions } from '../options.js'
import { addJobs } from '../sql/add-jobs.js'
import { openQueue } from '../sql/open-queue.js'
import type { ResolvedWorkOptions } from '../work-options.js'
import { listenForWorkers } from '../worker/doorbell.js'
import { NativeWorker } from '../worker/native-worker.js'
import type { Running } from '../worker/run-jobs.js'
import type { Worker } from '../worker.js'
import type { Capability, QueueEngine } from './engine.js'

const CAPABILITIES: ReadonlySet<Capability> = new Set<Capability>([
  'keys',
  'groups',
  'limits',
  'anyPriority',
  'expiry',
  'flows',
  'steps',
  'progress',
  'results',
  'events',
  'list',
  'pause',
  'reschedule',
  'cancelRunning',
  'schedules',
  'offThreadHeartbeat',
])

interface Added {
  readonly payload: string
  readonly spec: string | null
  readonly order: number
}

/** Our own tables; see `migrations/tables.ts`. */
export class NativeEngine<T> extends Operations<T> implements QueueEngine<T> {
  readonly name = 'native'
  readonly capabilities: ReadonlySet<Capability> = CAPABILITIES
  readonly #db: Database
  readonly #queue: string
  readonly #settings: ResolvedQueueOptions<unknown, unknown>['settings']
  readonly #workers = new Set<NativeWorker<T>>()
  readonly #events: EventSink
  readonly #insert: (job: Added) => Promise<string>
  #opening: Promise<number> | undefined
  #listening: Promise<() => Promise<void>> | undefined
  #added = 0
  #closed = false

  constructor(
    db: Database,
    queue: string,
    settings: ResolvedQueueOptions<unknown, unknown>['settings'],
  ) {
    super(db, () => this.open())
    this.#db = db
    this.#queue = queue
    this.#settings = settings
    this.#events = new EventSink(db, () => {})
    this.#insert = db.coalescer.operation({
      key: (job: Added) => `queue:${queue}:${job.order}`,
      bytes: (job) => job.payload.length,
      run: (jobs) => this.#insertMany(jobs),
    })
  }

  async addOne(
    payload: string,
    spec: JobSpec,
    client: TransactionHandle | undefined,
  ): Promise<string> {
    await this.open()
    if (client !== undefined) return (await this.addMany([payload], spec, client))[0] as string
    const rested = spec === null ? this.#resting() : undefined
    if (rested !== undefined) return rested.handOver(payload)
    return this.#insert({ payload, spec: encodeSpec(spec), order: this.#added++ }).catch(refused)
  }

  async addMany(
    payloads: readonly string[],
    spec: JobSpec | readonly JobSpec[],
    client: TransactionHandle | undefined,
  ): Promise<string[]> {
    return this.#write(payloads, encodeSpec(spec), client).catch(refused)
  }

  work(running: Running<T>, options: ResolvedWorkOptions): Worker {
    const worker = new NativeWorker<T>(
      {
        db: this.#db,
        name: this.#queue,
        running,
        events: this.#events,
        open: () => this.#listen(),
        onClosed: (closed) => this.#workers.delete(closed),
      },
      options,
    )
    this.#workers.add(worker)
    return worker
  }

  /** Tells the workers of something that went wrong beside them. */
  report(error: unknown): void {
    for (const worker of this.#workers) worker.report(error)
  }

  async close(options: { readonly withinMs?: number }): Promise<void> {
    this.#closed = true
    await Promise.all([...this.#workers].map((worker) => worker.close(options)))
    const unregister = await this.#listening?.catch(() => undefined)
    this.#listening = undefined
    await unregister?.()
  }

  /** Resolves with the queue's number, once its tables are there. */
  open(): Promise<number> {
    if (this.#closed) return Promise.reject(closedError())
    this.#opening ??= this.#openOnce().catch((error) => {
      this.#opening = undefined
      throw error
    })
    return this.#opening
  }

  async #openOnce(): Promise<number> {
    await this.#db.migrator.ensure(coreMigrations)
    await this.#db.migrator.ensure(migrations)
    const settings = JSON.stringify(this.#settings)
    const [row] = await this.#db.query(openQueue(this.#db.schema, this.#queue, settings))
    return (row as { readonly id: number }).id
  }

  /** A worker of ours that sleeps gets the job without having to be woken. */
  #resting(): NativeWorker<T> | undefined {
    for (const worker of this.#workers) if (worker.resting) return worker
    return undefined
  }

  /** Jobs added at the same time; those with the same options share a statement. */
  async #insertMany(jobs: readonly Added[]): Promise<string[]> {
    const alike = jobs.every((job) => job.spec === jobs[0]?.spec)
    const spec = alike
      ? (jobs[0]?.spec ?? null)
      : `[${jobs.map((job) => job.spec ?? 'null').join(',')}]`
    return this.#write(
      jobs.map((job) => job.payload),
      spec,
    )
  }

  async #write(
    payloads: readonly string[],
    spec: string | null,
    client?: TransactionHandle,
  ): Promise<string[]> {
    const queue = await this.open()
    const [row] = await this.#db.query(addJobs(this.#db.schema, queue, payloads, spec), client)
    return (row as { readonly ids: string }).ids.split(',')
  }

  /** Hears of new jobs from now on. Without a hub that can listen, workers poll. */
  async #listen(): Promise<number> {
    const queue = await this.open()
    // Not waited for: where listening takes time, workers look by themselves meanwhile.
    this.#listening ??= listenForWorkers(this.#db.hub, String(queue), this.#workers)
    this.#listening.catch(() => {
      this.#listening = undefined
    })
    return queue
  }
}

export function closedError(): Error {
  return queueError('QUEUE_CLOSED', 'This queue is closed. Make a new one.')
}

function encodeSpec(spec: JobSpec | readonly JobSpec[]): string | null {
  return spec === null ? null : JSON.stringify(spec)
}
