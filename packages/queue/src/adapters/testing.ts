/**
 * Helpers for the tests of applications: run a queue's jobs without a worker, and move its time forward.
 *
 * @packageDocumentation
 */
import { type Duration, parseDuration } from '@howdah/core'
import type { Handler, Job } from '../job.js'
import { Queue } from '../queue.js'
import { isBusy, shiftQueue } from '../sql/testing.js'

/** What {@link runJobs} has done. */
export interface JobRun<T> {
  readonly completed: readonly {
    readonly id: string
    readonly payload: T
    readonly output: unknown
  }[]
  /** Attempts that threw, with what became of the job. */
  readonly failed: readonly {
    readonly id: string
    readonly payload: T
    readonly error: unknown
    readonly dead: boolean
  }[]
}

/** Options of {@link runJobs}. */
export interface RunJobsOptions {
  /** Jobs at a time. With 1 they run strictly one after another. @defaultValue `1` */
  readonly concurrency?: number | undefined
}

/**
 * Runs the jobs of a queue that are ready, and those that become ready meanwhile, until none is left; delayed jobs and retries wait for
 * {@link advanceTime}. It is a worker for a moment, so limits, groups and keys count as ever. For tests: it keeps all results in memory.
 *
 * @example
 * ```ts
 * import { Queue } from '@howdah/queue'
 * import { advanceTime, runJobs } from '@howdah/queue/testing'
 * import { Pool } from 'pg'
 *
 * const mails = new Queue<{ to: string }>('mails', { pool: new Pool() })
 * await mails.add({ to: 'ada@example.org' }, { delay: '1d' })
 * await advanceTime(mails, '1d')
 * const { completed } = await runJobs(mails, (job) => job.payload.to)
 * await mails.close()
 * ```
 *
 * @throws {@link HowdahError} QUEUE_INVALID_OPTION, and what goes wrong outside of handlers
 */
export async function runJobs<T, R>(
  queue: Queue<T, R>,
  handler: Handler<T, R>,
  { concurrency = 1 }: RunJobsOptions = {},
): Promise<JobRun<T>> {
  const completed: { id: string; payload: T; output: unknown }[] = []
  const failed: { id: string; payload: T; error: unknown; dead: boolean }[] = []
  const { db, number } = await Queue.internals(queue)
  await queue.schedules.fire()
  const worker = queue.work(handler, { concurrency, pollInterval: 10 })
  let broken: unknown
  worker.on('completed', (job, output) => {
    const { id, payload } = job as Job<T>
    completed.push({ id, payload, output })
  })
  worker.on('failed', (job, error, dead) => {
    const { id, payload } = job as Job<T>
    failed.push({ id, payload, error, dead })
  })
  worker.on('error', (error) => {
    broken ??= error
  })
  try {
    // Only a worker that has looked knows what is due.
    for (let busy = true; busy && broken === undefined; ) {
      await worker.settled()
      const [state] = await db.query(isBusy(db.schema, number))
      busy = state?.busy === true
    }
  } finally {
    await worker.close()
  }
  if (broken !== undefined) throw broken
  return { completed, failed }
}

/**
 * Moves time forward for one queue: jobs that were to wait become due, keys run out, rates recover, and what ended is that much older. Other
 * queues, and the clock, stay as they are. For tests: it rewrites rows that nothing else rewrites.
 *
 * @throws {@link HowdahError} CORE_INVALID_DURATION
 */
export async function advanceTime<T, R>(queue: Queue<T, R>, by: Duration): Promise<void> {
  const ms = parseDuration(by, 'by', { min: 1 })
  const { db, number } = await Queue.internals(queue)
  await db.query(shiftQueue(db.schema, number, ms))
}
