import {
  type DatabaseSource,
  type Duration,
  parseDuration,
  type TransactionHandle,
} from '@howdah/core'
import { queueError } from './errors.js'

/** Options of {@link Queue}. */
export interface QueueOptions {
  /** The application's pool, a PGlite, or a Howdah Database. We never end it. */
  readonly pool: DatabaseSource
  /** How often a job is tried before it becomes a dead letter. @defaultValue `5` */
  readonly attempts?: number | undefined
  /** Upper end of the wait before the first retry; it doubles with each, and the wait is drawn at random below it. @defaultValue `'1s'` */
  readonly backoff?: Duration | undefined
  /** Largest payload, in bytes of its JSON text. @defaultValue `1048576` */
  readonly maxPayloadBytes?: number | undefined
}

/** Options of {@link Queue.add}. */
export interface AddOptions {
  /** A transaction to add the job in: it exists only if that commits. */
  readonly client?: TransactionHandle | undefined
  /** How long to wait, by the database's clock, before the job may start. Not together with `runAt`. */
  readonly delay?: Duration | undefined
  /** When the job may start. Not together with `delay`. */
  readonly runAt?: Date | undefined
  /** Jobs of a higher priority start first; -32768 to 32767. @defaultValue `0` */
  readonly priority?: number | undefined
  /** How often this job is tried. @defaultValue the queue's `attempts` */
  readonly attempts?: number | undefined
}

/** Options of {@link Queue.work}. */
export interface WorkOptions {
  /** How many jobs run at a time in this worker. @defaultValue `10` */
  readonly concurrency?: number | undefined
  /** How long a job belongs to the worker without a sign of life; the worker renews it meanwhile. @defaultValue `'30s'` */
  readonly lease?: Duration | undefined
  /** How long the worker sleeps when no doorbell rings: the longest a job of a foreign transaction waits. @defaultValue `'1s'` */
  readonly pollInterval?: Duration | undefined
}

/** {@link QueueOptions} checked, with every default filled in. */
export interface ResolvedQueueOptions {
  readonly attempts: number
  readonly backoff: number
  readonly maxPayloadBytes: number
}

/** {@link WorkOptions} checked, with every default filled in; times in milliseconds. */
export interface ResolvedWorkOptions {
  readonly concurrency: number
  readonly lease: number
  readonly pollInterval: number
}

/** What {@link AddOptions} come to for one job; exactly one of `delay` and `runAt` is set. */
export interface ResolvedAddOptions {
  readonly delay: number | null
  readonly runAt: Date | null
  readonly priority: number
  readonly attempts: number
}

const MAX_NAME = 200

/** @throws {@link HowdahError} QUEUE_INVALID_OPTION */
export function resolveName(name: string): string {
  const wellFormed =
    typeof name === 'string' && !name.includes('\0') && !/\p{Surrogate}/u.test(name)
  if (!wellFormed || name === '' || name.length > MAX_NAME) {
    throw invalid(
      `A queue's name must be well-formed text of 1 to ${MAX_NAME} characters without NUL.`,
    )
  }
  return name
}

/** @throws {@link HowdahError} QUEUE_INVALID_OPTION, CORE_INVALID_DURATION */
export function resolveQueueOptions(options: QueueOptions): ResolvedQueueOptions {
  const { attempts = 5, backoff = '1s', maxPayloadBytes = 1024 * 1024 } = options
  return Object.freeze({
    attempts: whole('attempts', attempts, 1, 1000),
    backoff: parseDuration(backoff, 'backoff', { min: 1 }),
    maxPayloadBytes: whole('maxPayloadBytes', maxPayloadBytes, 1, 2 ** 30),
  })
}

/** @throws {@link HowdahError} QUEUE_INVALID_OPTION, CORE_INVALID_DURATION */
export function resolveWorkOptions(options: WorkOptions): ResolvedWorkOptions {
  const { concurrency = 10, lease = '30s', pollInterval = '1s' } = options
  return Object.freeze({
    concurrency: whole('concurrency', concurrency, 1, 10_000),
    lease: parseDuration(lease, 'lease', { min: 100 }),
    pollInterval: parseDuration(pollInterval, 'pollInterval', { min: 10 }),
  })
}

/** @throws {@link HowdahError} QUEUE_INVALID_OPTION, CORE_INVALID_DURATION */
export function resolveAddOptions(
  options: AddOptions,
  { attempts: defaultAttempts }: ResolvedQueueOptions,
): ResolvedAddOptions {
  const { delay, runAt, priority = 0, attempts = defaultAttempts } = options
  if (delay !== undefined && runAt !== undefined) throw invalid('Give delay or runAt, not both.')
  if (runAt !== undefined && !(runAt instanceof Date && Number.isFinite(runAt.getTime()))) {
    throw invalid('runAt must be a valid Date.')
  }
  return {
    delay: runAt === undefined ? parseDuration(delay ?? 0, 'delay') : null,
    runAt: runAt ?? null,
    priority: whole('priority', priority, -32768, 32767),
    attempts: whole('attempts', attempts, 1, 1000),
  }
}

function whole(name: string, value: number, min: number, max: number): number {
  if (Number.isSafeInteger(value) && value >= min && value <= max) return value
  throw invalid(`${name} must be a whole number from ${min} to ${max}.`)
}

function invalid(message: string) {
  return queueError('QUEUE_INVALID_OPTION', message)
}
