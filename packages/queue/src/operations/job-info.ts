import type { JobOutcome } from '../job.js'
import type { JobRow, LISTED } from '../sql/look.js'

/** Where a job can be: it waits for its turn, its time or its children, it runs, or it has ended in one of five ways. */
export type JobState = 'waiting' | 'delayed' | 'blocked' | 'running' | JobOutcome

/** A job as it stands, by the database's clock. */
export interface JobInfo<T> {
  readonly id: string
  readonly state: JobState
  readonly payload: T
  readonly priority: number
  /** How often it may fail. */
  readonly attempts: number
  /** How often it has failed. */
  readonly failures: number
  /** How often its worker has died. */
  readonly crashes: number
  readonly addedAt: Date
  /** When it becomes due, while it is delayed. */
  readonly runAt: Date | undefined
  readonly startedAt: Date | undefined
  readonly finishedAt: Date | undefined
  /** What its handler answered. */
  readonly output: unknown
  /** The last error. */
  readonly error: string | undefined
  /** The newest progress, while it runs. */
  readonly progress: unknown
  readonly key: string | undefined
  readonly group: string | undefined
  /** Host and process of the worker that runs it. */
  readonly worker: string | undefined
}

/** Options of {@link Queue.list}. */
export interface ListOptions {
  /** @defaultValue `'waiting'` */
  readonly state?: (typeof LISTED)[number] | undefined
  /** At most so many, up to 1000. @defaultValue `100` */
  readonly limit?: number | undefined
  /** The `next` of the list before. */
  readonly after?: string | undefined
}

/** One page of a list. */
export interface JobList<T> {
  /** What waits in the order of starting (jobs of full groups left out), what runs or is blocked by id, what ended newest first. */
  readonly jobs: readonly JobInfo<T>[]
  /** Give it as `after` for the next page; `undefined` on the last. */
  readonly next: string | undefined
}

export function toJobInfo<T>(row: JobRow): JobInfo<T> {
  return {
    id: row.id,
    state: row.state as JobState,
    payload: JSON.parse(row.payload) as T,
    priority: row.priority,
    attempts: row.attempts,
    failures: row.failures,
    crashes: row.crashes,
    addedAt: new Date(row.addedAt),
    runAt: date(row.runAt),
    startedAt: date(row.startedAt),
    finishedAt: date(row.finishedAt),
    output: parse(row.output),
    error: row.error ?? undefined,
    progress: parse(row.progress),
    key: row.key ?? undefined,
    group: row.group ?? undefined,
    worker: row.worker ?? undefined,
  }
}

function date(ms: number | null): Date | undefined {
  return ms === null ? undefined : new Date(ms)
}

function parse(text: string | null): unknown {
  return text === null ? undefined : JSON.parse(text)
}
