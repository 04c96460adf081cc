import { type Duration, parseDuration } from '@howdah/core'
import type { Job } from './job.js'
import { mustBeFunction, whole } from './options.js'

/** Options of {@link Queue.work}. */
export interface WorkOptions {
  /** How many jobs run at a time in this worker; with `batchSize`, how many batches. @defaultValue `10`, and `1` with `batchSize` */
  readonly concurrency?: number | undefined
  /** Hands the handler up to so many jobs at once, as an array. @defaultValue none: one job a call */
  readonly batchSize?: number | undefined
  /** How long jobs belong to the worker without a sign of life. The worker gives one four times as often. @defaultValue `'30s'` */
  readonly lease?: Duration | undefined
  /** How long the worker sleeps, at most, when no doorbell rings. @defaultValue `'1s'` */
  readonly pollInterval?: Duration | undefined
  /** Called around each call of the handler (for a batch, with its first job), for instance to run it inside a span. */
  readonly around?: (<R>(job: Job<unknown>, run: () => R) => R) | undefined
}

/** {@link WorkOptions} checked, with every default filled in; times in milliseconds. */
export interface ResolvedWorkOptions {
  readonly concurrency: number
  readonly batchSize: number | undefined
  readonly lease: number
  readonly pollInterval: number
  readonly around: WorkOptions['around']
}

/** @throws {@link HowdahError} QUEUE_INVALID_OPTION, CORE_INVALID_DURATION */
export function resolveWorkOptions(options: WorkOptions): ResolvedWorkOptions {
  const { batchSize, lease = '30s', pollInterval = '1s', around } = options
  const { concurrency = batchSize === undefined ? 10 : 1 } = options
  return Object.freeze({
    concurrency: whole('concurrency', concurrency, 1, 10_000),
    batchSize: batchSize === undefined ? undefined : whole('batchSize', batchSize, 1, 500),
    lease: parseDuration(lease, 'lease', { min: 100, max: 24 * 60 * 60 * 1000 }),
    pollInterval: parseDuration(pollInterval, 'pollInterval', { min: 10 }),
    around: around === undefined ? undefined : mustBeFunction('around', around),
  })
}
