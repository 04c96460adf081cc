import type { TransactionHandle } from '@howdah/core'

/** Where the context of a distributed trace comes from. @see https://www.w3.org/TR/trace-context/ */
export interface TraceHeaders {
  readonly traceparent: string
  readonly tracestate?: string | undefined
}

/** A child of a flow, as its parent sees it. */
export interface ChildJob {
  readonly id: string
  readonly queue: string
  readonly outcome: JobOutcome
  /** What its handler answered; `undefined` for nothing. */
  readonly output: unknown
  /** Message of the last error, where it did not complete. */
  readonly error: string | null
}

/** How a job can end. */
export type JobOutcome = 'completed' | 'failed' | 'discarded' | 'cancelled' | 'expired'

/** What a job knows of itself. */
export interface JobFields<T> {
  readonly id: string
  readonly payload: T
  readonly attempt: number
  readonly maxAttempts: number
  readonly priority: number
  readonly addedAt: number
  readonly key: string | undefined
  readonly group: string | undefined
  readonly trace: TraceHeaders | undefined
}

/** @internal What a job asks of the worker that runs it. */
export interface JobHost {
  readonly queue: string
  progress(job: Job<unknown>, value: unknown): Promise<void>
  heartbeat(job: Job<unknown>): Promise<void>
  complete(job: Job<unknown>, client: TransactionHandle, output: unknown): Promise<void>
  step<R>(job: Job<unknown>, name: string, fn: () => Promise<R> | R): Promise<R>
  children(job: Job<unknown>): Promise<ChildJob[]>
}

/** A job as its handler sees it. */
export class Job<T> {
  readonly #host: JobHost
  readonly #fields: JobFields<T>
  #abort: AbortController | undefined
  #aborted: { readonly reason: unknown } | undefined

  /** @internal The lease it runs under. */
  readonly lease: string
  /** @internal */
  readonly flags: number

  /** @internal */
  constructor(host: JobHost, lease: string, flags: number, fields: JobFields<T>) {
    this.#host = host
    this.lease = lease
    this.flags = flags
    this.#fields = fields
  }

  /** Answered by `add`, and the same for every attempt. */
  get id(): string {
    return this.#fields.id
  }

  /** Name of the queue. */
  get queue(): string {
    return this.#host.queue
  }

  get payload(): T {
    return this.#fields.payload
  }

  /** Counts from 1. An attempt that failed counts, and one whose worker died. */
  get attempt(): number {
    return this.#fields.attempt
  }

  /** How often the job may fail. */
  get maxAttempts(): number {
    return this.#fields.maxAttempts
  }

  get priority(): number {
    return this.#fields.priority
  }

  /** When it was added, by the database's clock. */
  get addedAt(): Date {
    return new Date(this.#fields.addedAt)
  }

  /** The key it was added with. */
  get key(): string | undefined {
    return this.#fields.key
  }

  /** The group it belongs to. */
  get group(): string | undefined {
    return this.#fields.group
  }

  /** The trace it was added in. */
  get trace(): TraceHeaders | undefined {
    return this.#fields.trace
  }

  /**
   * Aborts when the job was cancelled, when its lease was lost, so that another worker may run it, and when the worker's closing has
   * run out of time. The reason tells which: a HowdahError with the code QUEUE_JOB_CANCELLED, QUEUE_LEASE_LOST or QUEUE_CLOSED.
   */
  get signal(): AbortSignal {
    // Made when asked for: most handlers never look, and making one costs more than all else of a small job.
    if (this.#abort === undefined) {
      this.#abort = new AbortController()
      if (this.#aborted !== undefined) this.#abort.abort(this.#aborted.reason)
    }
    return this.#abort.signal
  }

  /**
   * Tells how far the job is: anything with a JSON form. Kept for `queue.get(id)` and sent to who listens to the queue's events; told more often
   * than four times a second, only the newest is.
   *
   * @throws {@link HowdahError} QUEUE_INVALID_PAYLOAD when it has no JSON form
   */
  progress(value: unknown): Promise<void> {
    return this.#host.progress(this, value)
  }

  /**
   * Makes sure that the job is still this worker's. The worker itself says every few seconds that it lives, from a thread of its own, so
   * that no handler needs to call this: it is for the moment before something that must not be done twice.
   *
   * @throws {@link HowdahError} QUEUE_LEASE_LOST when another worker may run it
   */
  heartbeat(): Promise<void> {
    return this.#host.heartbeat(this)
  }

  /**
   * Completes the job in a transaction of yours: what you write there and the end of the job happen both or neither. Let the
   * handler return after the commit. If the transaction rolls back, the job fails and runs again.
   *
   * @throws {@link HowdahError} QUEUE_LEASE_LOST when another worker may run it; let it roll your transaction back
   */
  complete({
    client,
    output,
  }: {
    readonly client: TransactionHandle
    readonly output?: unknown
  }): Promise<void> {
    return this.#host.complete(this, client, output)
  }

  /**
   * Runs `fn` once in the life of the job: what it answered is stored, and a later attempt gets that instead. Anything with a JSON form, or
   * `undefined`. If the process dies between the end of `fn` and the storing, it runs again.
   *
   * @throws {@link HowdahError} QUEUE_LEASE_LOST, QUEUE_INVALID_OUTPUT, QUEUE_INVALID_OPTION, and whatever `fn` throws
   */
  step<R>(name: string, fn: () => Promise<R> | R): Promise<R> {
    return this.#host.step(this, name, fn)
  }

  /** The children of a flow's parent, in the order they were added, with what they answered. */
  children(): Promise<ChildJob[]> {
    return this.#host.children(this)
  }

  /** @internal Whether the worker has done with it, whatever its handler still does. */
  ended = false

  /** @internal */
  abort(reason: unknown): void {
    this.#aborted ??= { reason }
    this.#abort?.abort(reason)
  }

  /** @internal Why it was aborted, if it was. */
  get abortReason(): unknown {
    return this.#aborted?.reason
  }
}

/**
 * Does the work of one job. What it answers is the job's output (anything with a JSON form, or `undefined`); throwing makes it wait and run
 * again, or a dead letter after its last attempt.
 */
export type Handler<T, R = unknown> = (job: Job<T>) => Promise<R> | R

/**
 * Does the work of several jobs at once. It may answer an array with one element for each job, in their order: an `Error` (a
 * {@link RetryLater} or {@link Discard} too) is what became of that job alone, anything else its output. Throwing fails all of them.
 */
export type BatchHandler<T, R = unknown> = (
  jobs: readonly Job<T>[],
) => Promise<BatchOutcome<R>> | BatchOutcome<R>

/** What a {@link BatchHandler} answers: nothing, or one element for each job. */
// biome-ignore lint/suspicious/noConfusingVoidType: a handler without a return statement answers nothing
export type BatchOutcome<R> = readonly (R | Error)[] | undefined | void
