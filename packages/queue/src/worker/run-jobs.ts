import { AsyncLocalStorage } from 'node:async_hooks'
import { encodeJson, isHowdahError, type StandardSchema, tracer, validate } from '@howdah/core'
import { errorText, queueError } from '../errors.js'
import type { BatchHandler, Handler, Job } from '../job.js'
import { isDiscard, isRetryLater } from '../outcome.js'
import type { End } from './holding.js'

const processTracer = tracer('@howdah/queue:process')

/** The job whose handler runs: jobs added in it belong to the same trace. */
export const currentJob: AsyncLocalStorage<Job<unknown>> = new AsyncLocalStorage()

/** How jobs are run: the application's handler and what its answers must be. */
export interface Running<T> {
  readonly queue: string
  readonly handler: Handler<T> | BatchHandler<T>
  readonly batch: boolean
  readonly output: StandardSchema | undefined
  /** Wraps the call of the handler, for instance in a span. */
  readonly around: (<R>(job: Job<T>, run: () => R) => R) | undefined
}

const COMPLETED: End = { kind: 'completed' }

/** Runs one job to its end. Never rejects. */
export async function runJob<T>(running: Running<T>, job: Job<T>): Promise<End> {
  const handler = running.handler as Handler<T>
  try {
    const output = await inContext(running, job, () => handler(job))
    return output === undefined && running.output === undefined
      ? COMPLETED
      : await completed(running, output)
  } catch (error) {
    return failed(job, error)
  }
}

/** Runs several jobs in one call; answers their ends in order. Never rejects. */
export async function runBatch<T>(running: Running<T>, jobs: readonly Job<T>[]): Promise<End[]> {
  const handler = running.handler as BatchHandler<T>
  const first = jobs[0] as Job<T>
  try {
    const outputs = await inContext(running, first, () => handler(jobs))
    if (outputs === undefined) return jobs.map(() => COMPLETED)
    if (!Array.isArray(outputs) || outputs.length !== jobs.length) {
      throw queueError(
        'QUEUE_INVALID_OUTPUT',
        `The handler of a batch must answer nothing, or one output for each of its ${jobs.length} jobs.`,
      )
    }
    return await Promise.all(
      jobs.map((job, at) => one(running, job, (outputs as readonly unknown[])[at])),
    )
  } catch (error) {
    return jobs.map((job) => failed(job, error))
  }
}

async function one<T>(running: Running<T>, job: Job<T>, output: unknown): Promise<End> {
  if (output instanceof Error) return failed(job, output)
  return completed(running, output).catch((error) => failed(job, error))
}

function inContext<T, R>(running: Running<T>, job: Job<T>, run: () => R): R {
  const call = running.around === undefined ? run : () => running.around?.(job, run) as R
  const traced = processTracer.active
    ? () =>
        processTracer.run(
          () => ({ target: running.queue, item: job }),
          async () => call(),
        ) as R
    : call
  // Following a job through its promises slows all of them, so only what has a trace is followed.
  return job.trace === undefined ? traced() : currentJob.run(job as Job<unknown>, traced)
}

async function completed<T>(running: Running<T>, output: unknown): Promise<End> {
  const value =
    running.output === undefined
      ? output
      : await validate(running.output, output, 'What the handler answered', badOutput)
  return { kind: 'completed', output: encodeOutput(value) }
}

function badOutput(message: string, cause: unknown): Error {
  return queueError('QUEUE_INVALID_OUTPUT', message, cause)
}

/** @throws {@link HowdahError} QUEUE_INVALID_OUTPUT */
export function encodeOutput(value: unknown): string | undefined {
  if (value === undefined) return undefined
  return encodeJson(value, (cause) =>
    queueError(
      'QUEUE_INVALID_OUTPUT',
      'What the handler answered has no JSON form (a function, a bigint or a cycle). Answer nothing, or something JSON can say.',
      cause,
    ),
  )
}

function failed(job: Job<never> | Job<unknown>, cause: unknown): End {
  if (isRetryLater(cause)) return { kind: 'later', delayMs: cause.delayMs, cause }
  const error = errorText(cause)
  if (isDiscard(cause)) return { kind: 'discarded', error, cause }
  const reason = (job as Job<unknown>).abortReason
  if (isHowdahError(reason, 'QUEUE_JOB_CANCELLED')) return { kind: 'cancelled', error, cause }
  if (isHowdahError(reason, 'QUEUE_CLOSED')) return { kind: 'returned', cause }
  return { kind: 'failed', error, cause }
}
