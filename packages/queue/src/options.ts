import {
  checkSchema,
  type DatabaseSource,
  type Duration,
  parseDuration,
  type StandardSchema,
} from '@howdah/core'
import type { PgmqOptions } from './engines/pgmq/options.js'
import { queueError } from './errors.js'
import type { TraceHeaders } from './job.js'

/** How many jobs may start in a time, over all processes. */
export interface RateLimit {
  /** Starts in each `per`. */
  readonly max: number
  readonly per: Duration
  /** How many may start at once after a pause. Any span of `per` then sees at most `max + burst` starts. @defaultValue `max` */
  readonly burst?: number | undefined
}

/** How long jobs that ended are kept, to be looked at and answered for. */
export interface KeepOptions {
  /** @defaultValue `'1d'` */
  readonly completed?: Duration | undefined
  /** Dead letters. @defaultValue `'30d'` */
  readonly failed?: Duration | undefined
  /** Jobs that were cancelled, discarded or expired. @defaultValue `'7d'` */
  readonly cancelled?: Duration | undefined
}

/**
 * Options of {@link Queue}. Those from `attempts` to `groups` are kept in the database: all processes share them, jobs added in SQL too, and
 * what the last process said counts. An option that is not given stays what it was.
 */
export interface QueueOptions<T = unknown, R = unknown> {
  /** The application's pool, a PGlite, or a Howdah Database. We never end it. */
  readonly pool: DatabaseSource
  /**
   * What keeps the jobs: our own tables, or the extension pgmq, by its name or with options of its own. What an engine cannot do it refuses
   * with QUEUE_UNSUPPORTED. @defaultValue `'native'`
   */
  readonly engine?: 'native' | 'pgmq' | PgmqOptions | undefined
  /** Checks payloads when they are added, and stores what it makes of them: any schema that follows Standard Schema. */
  readonly input?: StandardSchema<unknown, T> | undefined
  /** Checks what handlers answer. An answer that does not fit fails the attempt. */
  readonly output?: StandardSchema<unknown, R> | undefined
  /** Answers the trace that a job is added in, where `add` is not told. Inside a handler the job's own is the default. */
  readonly trace?: (() => TraceHeaders | undefined) | undefined
  /** How often a job may fail before it becomes a dead letter. @defaultValue `5` */
  readonly attempts?: number | undefined
  /** Wait before the first retry; it doubles with each, and half of it is drawn at random. @defaultValue `'1s'` */
  readonly backoff?: Duration | undefined
  /** Longest wait before a retry. @defaultValue `'1h'` */
  readonly maxBackoff?: Duration | undefined
  /** How often workers may die while a job runs before it becomes a dead letter. @defaultValue `3` */
  readonly maxCrashes?: number | undefined
  /** Largest payload, in bytes of its JSON text. @defaultValue `1048576` */
  readonly maxPayloadBytes?: number | undefined
  /** How long jobs that ended are kept. */
  readonly keep?: KeepOptions | undefined
  /** How many jobs may run at a time in all processes together; `null` for no limit. */
  readonly concurrency?: number | null | undefined
  /** How many jobs may start in a time in all processes together; `null` for no limit. */
  readonly rate?: RateLimit | null | undefined
  /** Lets jobs belong to groups, and says how many of one group may run at a time: with `1` each group is first in, first out. `null` for none. */
  readonly groups?: { readonly concurrency: number } | null | undefined
}

/** {@link QueueOptions} checked. */
export interface ResolvedQueueOptions<T, R> {
  readonly input: StandardSchema<unknown, T> | undefined
  readonly output: StandardSchema<unknown, R> | undefined
  readonly trace: (() => TraceHeaders | undefined) | undefined
  readonly maxPayloadBytes: number
  /** What was given of the settings that the database keeps, by column. */
  readonly settings: Readonly<Record<string, number | null>>
}

const MAX_NAME = 200
const MAX_ATTEMPTS = 1000
const MAX_LIMIT = 1_000_000
export const DEFAULT_MAX_PAYLOAD_BYTES: number = 1024 * 1024

/** @throws {@link HowdahError} QUEUE_INVALID_OPTION */
export function resolveName(name: string): string {
  return text("A queue's name", name, MAX_NAME)
}

/** @throws {@link HowdahError} QUEUE_INVALID_OPTION, CORE_INVALID_DURATION */
export function resolveQueueOptions<T, R>(options: QueueOptions<T, R>): ResolvedQueueOptions<T, R> {
  const { input, output, trace, maxPayloadBytes } = options
  checkSchema('input', input, invalid)
  checkSchema('output', output, invalid)
  if (trace !== undefined) mustBeFunction('trace', trace)
  return Object.freeze({
    input,
    output,
    trace,
    maxPayloadBytes:
      maxPayloadBytes === undefined
        ? DEFAULT_MAX_PAYLOAD_BYTES
        : whole('maxPayloadBytes', maxPayloadBytes, 1, 2 ** 28),
    settings: Object.freeze(settingsOf(options)),
  })
}

function settingsOf(
  options: Omit<QueueOptions, 'input' | 'output'>,
): Record<string, number | null> {
  const { attempts, backoff, maxBackoff, maxCrashes, maxPayloadBytes, keep = {} } = options
  const { concurrency, rate, groups } = options
  const settings: Record<string, number | null> = {}
  const put = (column: string, value: number | null | undefined) => {
    if (value !== undefined) settings[column] = value
  }
  const time = (name: string, value: Duration | undefined, min: number) =>
    value === undefined ? undefined : parseDuration(value, name, { min })
  put('attempts', attempts === undefined ? undefined : resolveAttempts(attempts))
  put('backoff_ms', time('backoff', backoff, 1))
  put('backoff_max_ms', time('maxBackoff', maxBackoff, 1))
  put('max_crashes', maxCrashes === undefined ? undefined : whole('maxCrashes', maxCrashes, 1, 100))
  put('max_payload_bytes', maxPayloadBytes)
  put('keep_completed_ms', time('keep.completed', keep.completed, 0))
  put('keep_failed_ms', time('keep.failed', keep.failed, 0))
  put('keep_cancelled_ms', time('keep.cancelled', keep.cancelled, 0))
  put(
    'concurrency',
    concurrency == null ? concurrency : whole('concurrency', concurrency, 1, MAX_LIMIT),
  )
  put(
    'group_concurrency',
    groups == null ? groups : whole('groups.concurrency', groups.concurrency, 1, MAX_LIMIT),
  )
  if (rate !== undefined) {
    const max = rate === null ? null : whole('rate.max', rate.max, 1, MAX_LIMIT)
    put('rate_max', max)
    put('rate_per_ms', rate === null ? null : parseDuration(rate.per, 'rate.per', { min: 1 }))
    put(
      'rate_burst',
      rate?.burst === undefined ? null : whole('rate.burst', rate.burst, 1, MAX_LIMIT),
    )
  }
  return settings
}

/** @throws {@link HowdahError} QUEUE_INVALID_OPTION */
export function resolveAttempts(value: number): number {
  return whole('attempts', value, 1, MAX_ATTEMPTS)
}

/** @throws {@link HowdahError} QUEUE_INVALID_OPTION */
export function whole(name: string, value: number, min: number, max: number): number {
  if (Number.isSafeInteger(value) && value >= min && value <= max) return value
  throw invalid(`${name} must be a whole number from ${min} to ${max}.`)
}

/** @throws {@link HowdahError} QUEUE_INVALID_OPTION */
export function text(what: string, value: string, max: number): string {
  const wellFormed =
    typeof value === 'string' && !value.includes('\0') && !/\p{Surrogate}/u.test(value)
  if (wellFormed && value !== '' && value.length <= max) return value
  throw invalid(`${what} must be well-formed text of 1 to ${max} characters without NUL.`)
}

/** @throws {@link HowdahError} QUEUE_INVALID_OPTION */
export function mustBeFunction<V>(name: string, value: V): V {
  if (typeof value === 'function') return value
  throw invalid(`${name} must be a function.`)
}

export function invalid(message: string): Error {
  return queueError('QUEUE_INVALID_OPTION', message)
}
