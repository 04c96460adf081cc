/** A job as its handler sees it. */
export interface Job<T> {
  readonly id: string
  readonly queue: string
  readonly payload: T
  /** Counts from 1. A crash of the worker counts as an attempt. */
  readonly attempt: number
  readonly maxAttempts: number
  /** Aborts when the lease was lost, so that another worker may run the job, and when the worker's closing has run out of time. */
  readonly signal: AbortSignal
}

/** Does the work of one job. Resolving completes it; throwing makes it wait and run again, or a dead letter after its last attempt. */
export type Handler<T> = (job: Job<T>) => Promise<unknown> | unknown

/** A job that failed as often as it may. */
export interface DeadLetter<T> {
  readonly id: string
  readonly payload: T
  /** Attempts made. */
  readonly attempts: number
  /** Message of the last attempt's error. */
  readonly error: string | null
  readonly addedAt: Date
  readonly diedAt: Date
}

/** How many jobs of a queue are in each state. */
export interface QueueStats {
  readonly waiting: number
  /** Not due yet: added with a delay, or waiting for a retry. */
  readonly delayed: number
  readonly running: number
  readonly dead: number
}
