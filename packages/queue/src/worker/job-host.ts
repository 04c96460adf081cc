/** What a running job can ask for: each of these is about one job and the lease it runs under. */
import { type Database, encodeJson, type TransactionHandle } from '@howdah/core'
import { queueError } from '../errors.js'
import type { ChildJob, Job, JobHost } from '../job.js'
import { text } from '../options.js'
import {
  type ChildRow,
  hasReceipts,
  holdsJob,
  keepProgress,
  keepStep,
  listChildren,
  readSteps,
  receiptsOpen,
  writeReceipt,
} from '../sql/running.js'
import type { End } from './holding.js'
import { encodeOutput } from './run-jobs.js'

const PROGRESS_EVERY_MS = 250
const MAX_STEP_NAME = 200

export interface JobHostOptions {
  readonly db: Database
  readonly queue: string
  /** Tells who listens to the queue's events. */
  tellProgress(job: Job<unknown>, progress: string): void
  onError(error: unknown): void
}

interface JobState {
  steps?: Promise<Map<string, string | null>> | undefined
  progress?: string | undefined
  progressTimer?: NodeJS.Timeout | undefined
  noted?: boolean
  receipt?: { readonly output: string | undefined } | undefined
}

/** Serves the jobs of one worker. */
export class WorkerJobHost implements JobHost {
  readonly #of: JobHostOptions
  /** Only of jobs that asked for something that has to be remembered. */
  readonly #states = new Map<string, JobState>()

  constructor(of: JobHostOptions) {
    this.#of = of
  }

  get queue(): string {
    return this.#of.queue
  }

  /** Whether the job asked to be completed in a transaction. */
  hasReceipt(job: Job<unknown>): boolean {
    return this.#states.size > 0 && this.#states.get(job.id)?.receipt !== undefined
  }

  /**
   * How a job with a receipt ended: complete if the transaction was committed, else failed, or whatever the handler threw. `undefined` while
   * a transaction may still commit: one whose answer was lost may be under way.
   */
  async afterReceipt(job: Job<unknown>, end: End): Promise<End | undefined> {
    const { db } = this.#of
    const [open] = await db.query(receiptsOpen(db.schema, job.lease))
    if (open?.open === true) return undefined
    const [row] = await db.query(hasReceipts(db.schema, job.lease, job.id))
    if (row !== undefined) {
      const output = this.#states.get(job.id)?.receipt?.output
      return { kind: 'completed', output, noted: true }
    }
    if (end.kind !== 'completed') return end
    const error =
      'The transaction that was to complete the job was not committed when its handler returned.'
    return { kind: 'failed', error, cause: queueError('QUEUE_JOB_FAILED', error) }
  }

  /** Whether the job left rows that are to go with its end. */
  noted(job: Job<unknown>): boolean {
    return this.#states.size > 0 && this.#states.get(job.id)?.noted === true
  }

  /** Forgets a job that has ended. */
  forget(job: Job<unknown>): void {
    if (this.#states.size === 0) return
    clearTimeout(this.#states.get(job.id)?.progressTimer)
    this.#states.delete(job.id)
  }

  async progress(job: Job<unknown>, value: unknown): Promise<void> {
    const json = encodeJson(value, (cause) =>
      queueError('QUEUE_INVALID_PAYLOAD', 'Progress must have a JSON form.', cause),
    )
    const state = this.#state(job)
    state.progress = json
    state.noted = true
    if (state.progressTimer !== undefined) return
    // The first is told at once, then the newest after each pause.
    const tell = () => {
      const newest = state.progress
      state.progressTimer = undefined
      if (newest === undefined) return
      state.progress = undefined
      state.progressTimer = setTimeout(tell, PROGRESS_EVERY_MS)
      state.progressTimer.unref()
      this.#of.tellProgress(job, newest)
      const { db, onError } = this.#of
      db.query(keepProgress(db.schema, job.lease, job.id, newest)).catch(onError)
    }
    tell()
  }

  async heartbeat(job: Job<unknown>): Promise<void> {
    const { db } = this.#of
    const rows = await db.query(holdsJob(db.schema, job.lease, job.id))
    if (rows.length === 0) throw leaseLost(job)
  }

  async complete(job: Job<unknown>, client: TransactionHandle, output: unknown): Promise<void> {
    const { db } = this.#of
    const json = encodeOutput(output)
    // Its end is on its way to the server, and may arrive before the transaction commits.
    if (job.ended) throw leaseLost(job)
    // Before the statement: a commit whose answer is lost counts too.
    this.#state(job).receipt = { output: json }
    const rows = await db.query(writeReceipt(db.schema, job.lease, job.id, json ?? null), client)
    if (rows.length === 0) throw leaseLost(job)
  }

  async step<R>(job: Job<unknown>, name: string, fn: () => Promise<R> | R): Promise<R> {
    text("A step's name", name, MAX_STEP_NAME)
    const { db } = this.#of
    const state = this.#state(job)
    state.steps ??= this.#steps(job)
    const steps = await state.steps
    if (steps.has(name)) return decode(steps.get(name)) as R
    const result = await fn()
    const output = encodeOutput(result) ?? null
    const rows = await db.query(keepStep(db.schema, job.lease, job.id, name, output))
    if (rows.length === 0) throw leaseLost(job)
    steps.set(name, output)
    return result
  }

  async children(job: Job<unknown>): Promise<ChildJob[]> {
    const { db } = this.#of
    const rows = await db.query(listChildren(db.schema, job.id))
    return rows.map(({ output, ...row }: ChildRow) => ({ ...row, output: decode(output) }))
  }

  #state(job: Job<unknown>): JobState {
    let state = this.#states.get(job.id)
    if (state === undefined) {
      state = {}
      this.#states.set(job.id, state)
    }
    return state
  }

  async #steps(job: Job<unknown>): Promise<Map<string, string | null>> {
    // A first attempt has none.
    if (job.attempt === 1) return new Map()
    const { db } = this.#of
    const rows = await db.query(readSteps(db.schema, job.id))
    return new Map(rows.map(({ name, output }) => [name, output]))
  }
}

function decode(text: string | null | undefined): unknown {
  return text === null || text === undefined ? undefined : JSON.parse(text)
}

/** What a job is told that another worker may run by now. */
export function leaseLost(job: Job<unknown>): Error {
  return queueError(
    'QUEUE_LEASE_LOST',
    `Job ${job.id} is not this worker's any more, and may run elsewhere. Make the lease longer, or watch job.signal.`,
  )
}
