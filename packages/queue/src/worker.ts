import type { Job } from './job.js'

/** Events of a {@link Worker}. */
export interface WorkerEvents {
  /** A job completed, and the server knows. */
  readonly completed: readonly [job: Job<unknown>, output: unknown]
  /** An attempt threw, and the server knows; `dead` tells whether it was the last. */
  readonly failed: readonly [job: Job<unknown>, error: unknown, dead: boolean]
  /** Something went wrong outside of handlers: a lost lease, a server out of reach. The worker goes on by itself. */
  readonly error: readonly [error: unknown]
}

/** A running worker; made by {@link Queue.work}. */
export interface Worker {
  /** Adds a listener and returns the function that removes it. */
  on<Name extends keyof WorkerEvents>(
    name: Name,
    listener: (...args: WorkerEvents[Name]) => void,
  ): () => void
  /** How many jobs run in this worker now. */
  readonly running: number
  /** Whether its heartbeat comes from a thread of its own, so that a handler that blocks the event loop keeps its jobs. */
  readonly heartbeatOffThread: boolean
  /**
   * Claims no more and waits for the jobs that run. After `withinMs` their signals abort, and those that do not end at once are handed
   * back, to run before all others, with no attempt counted. @defaultValue withinMs `30000`
   */
  close(options?: { readonly withinMs?: number }): Promise<void>
  /** Closes at the end of an `await using` block. */
  [Symbol.asyncDispose](): Promise<void>
  /** @internal Resolves when jobs have ended and the server knows, or the worker has looked and found none. */
  settled(): Promise<void>
  /** @internal Tells of something that went wrong beside it. */
  report(error: unknown): void
}
