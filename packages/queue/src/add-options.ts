import { type Duration, parseDuration, type TransactionHandle } from '@howdah/core'
import type { TraceHeaders } from './job.js'
import { invalid, resolveAttempts, text, whole } from './options.js'
import { formatTrace } from './worker/parse.js'

/**
 * What makes a job the same as another. While one with its key waits or runs, adding another adds nothing and answers the id of the one
 * that is there.
 */
export interface KeyOptions {
  readonly id: string
  /** Holds the key for so long after the job has ended, too. Not together with `throttle` or `debounce`. */
  readonly keepFor?: Duration | undefined
  /** Holds the key for so long from the adding, however soon the job ends: at most one job in each such time. */
  readonly throttle?: Duration | undefined
  /**
   * Lets the job wait for so long, and with each adding of the same key anew, with the newest payload: it runs when nothing was added for
   * that time. Once it has started, adding makes a new one.
   */
  readonly debounce?: Duration | undefined
}

/** What can be said of one job when it is added. */
export interface JobOptions {
  /** How long to wait, by the database's clock, before the job may start. Not together with `runAt`. */
  readonly delay?: Duration | undefined
  /** When the job may start. Not together with `delay`. */
  readonly runAt?: Date | undefined
  /** Jobs of a higher priority start first; -32768 to 32767. @defaultValue `0` */
  readonly priority?: number | undefined
  /** How often this job may fail. @defaultValue the queue's `attempts` */
  readonly attempts?: number | undefined
  /** Wait before the first retry of this job. @defaultValue the queue's `backoff` */
  readonly backoff?: Duration | undefined
  /** The job expires if it has not started so long after it was due. @defaultValue never */
  readonly expireAfter?: Duration | undefined
  /** Makes this job one of a kind while it waits or runs; a string, or more about it. */
  readonly key?: string | KeyOptions | undefined
  /** The group it belongs to, in a queue with `groups`. */
  readonly group?: string | undefined
  /** The trace it belongs to. @defaultValue the queue's `trace()`, or that of the job whose handler adds it */
  readonly trace?: TraceHeaders | undefined
}

/** Options of {@link Queue.add}. */
export interface AddOptions extends JobOptions {
  /** A transaction to add the job in: it exists only if that commits. */
  readonly client?: TransactionHandle | undefined
}

/** What `queue_add` takes as `_spec`; `null` where all is as usual. */
export type JobSpec = Readonly<Record<string, unknown>> | null

const MAX_KEY = 500
export const TRACEPARENT: RegExp =
  /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(?:-[\x20-\x7e]*)?$/
const MAX_TRACESTATE = 512
export const TRACESTATE: RegExp = /^[\x20-\x7e]{0,512}$/

/** @throws {@link HowdahError} QUEUE_INVALID_OPTION, CORE_INVALID_DURATION */
export function jobSpec(options: JobOptions, defaultTrace?: TraceHeaders | undefined): JobSpec {
  const { delay, runAt, priority, attempts, backoff, expireAfter, key, group } = options
  const trace = options.trace ?? defaultTrace
  const spec: Record<string, unknown> = {}
  if (delay !== undefined && runAt !== undefined) throw invalid('Give delay or runAt, not both.')
  if (delay !== undefined) {
    const ms = parseDuration(delay, 'delay')
    if (ms > 0) spec['delay'] = ms
  }
  if (runAt !== undefined) spec['runAt'] = epochMs(runAt)
  if (priority !== undefined && whole('priority', priority, -32_768, 32_767) !== 0) {
    spec['priority'] = priority
  }
  if (attempts !== undefined) spec['attempts'] = resolveAttempts(attempts)
  if (backoff !== undefined) spec['backoff'] = parseDuration(backoff, 'backoff', { min: 1 })
  if (expireAfter !== undefined) {
    spec['expireAfter'] = parseDuration(expireAfter, 'expireAfter', { min: 1 })
  }
  if (group !== undefined) spec['group'] = text('group', group, MAX_KEY)
  if (trace !== undefined) spec['trace'] = resolveTrace(trace)
  if (key !== undefined) spec['key'] = resolveKey(key, delay !== undefined || runAt !== undefined)
  for (const _ in spec) return spec
  return null
}

/** @throws {@link HowdahError} QUEUE_INVALID_OPTION when it is no time */
export function epochMs(runAt: Date): number {
  const ms = runAt instanceof Date ? runAt.getTime() : Number.NaN
  if (Number.isFinite(ms)) return ms
  throw invalid('runAt must be a valid Date.')
}

function resolveKey(key: string | KeyOptions, scheduled: boolean): Record<string, unknown> {
  const { id, keepFor, throttle, debounce } =
    typeof key === 'string' ? ({ id: key } as KeyOptions) : key
  if (key === null || typeof key === 'boolean')
    throw invalid('key must be a string or an object with an id.')
  const given = Object.entries({ keepFor, throttle, debounce }).filter(
    ([, value]) => value !== undefined,
  )
  if (given.length > 1) throw invalid('Give a key one of keepFor, throttle and debounce.')
  if (debounce !== undefined && scheduled) {
    throw invalid('A job that is debounced waits for that time: give it no delay or runAt.')
  }
  const times = given.map(([name, value]) => [
    name,
    parseDuration(value as Duration, `key.${name}`, { min: 1 }),
  ])
  return { id: text('key', id, MAX_KEY), ...Object.fromEntries(times) }
}

function resolveTrace(trace: TraceHeaders): string {
  const { traceparent, tracestate } = trace
  if (typeof traceparent !== 'string' || !TRACEPARENT.test(traceparent)) {
    throw invalid('trace.traceparent must have the form that W3C Trace Context gives it.')
  }
  if (
    tracestate !== undefined &&
    (typeof tracestate !== 'string' || !TRACESTATE.test(tracestate))
  ) {
    throw invalid(`trace.tracestate must be up to ${MAX_TRACESTATE} printable ASCII characters.`)
  }
  return formatTrace(trace)
}
