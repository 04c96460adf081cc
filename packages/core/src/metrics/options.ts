import { type Duration, parseDuration } from '../duration.js'
import { HowdahError } from '../errors.js'

/** Options of `metrics()`. */
export interface MetricsOptions {
  /** How long a source may take before a scrape goes on without it. Keep it below the `scrape_timeout` of Prometheus. @defaultValue `'3s'` */
  readonly timeout?: Duration | undefined
  /** Whether operations are counted and timed from the tracing channels, which makes each cost some microseconds more. @defaultValue `true` */
  readonly operations?: boolean | undefined
  /** Upper bounds of the histogram of durations, in seconds, rising. @defaultValue half a millisecond to five minutes, in 16 steps */
  readonly buckets?: readonly number[] | undefined
  /** How many targets an operation is told apart by, and how many samples a source may have under one name. @defaultValue `200` */
  readonly maxSeries?: number | undefined
}

/** {@link MetricsOptions} with every default filled in. */
export interface ResolvedMetricsOptions {
  readonly timeoutMs: number
  readonly operations: boolean
  readonly buckets: readonly number[]
  readonly maxSeries: number
}

const BUCKETS = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 30, 60, 300,
]
const MAX_BUCKETS = 100
const MAX_SERIES = 10_000

/** @throws {@link HowdahError} CORE_INVALID_OPTION, CORE_INVALID_DURATION */
export function resolveMetricsOptions(options: MetricsOptions): ResolvedMetricsOptions {
  const { timeout = '3s', operations = true, buckets = BUCKETS, maxSeries = 200 } = options
  const timeoutMs = parseDuration(timeout, 'timeout', { min: 1, max: 3_600_000 })
  if (typeof operations !== 'boolean') throw invalid('operations must be true or false.')
  const rising = (bound: unknown, at: number) =>
    Number.isFinite(bound) && (bound as number) > (buckets[at - 1] ?? 0)
  if (!Array.isArray(buckets) || buckets.length > MAX_BUCKETS || !buckets.every(rising)) {
    throw invalid(
      `buckets must be at most ${MAX_BUCKETS} numbers of seconds above 0, each higher than the one before.`,
    )
  }
  if (!Number.isInteger(maxSeries) || maxSeries < 1 || maxSeries > MAX_SERIES) {
    throw invalid(`maxSeries must be a whole number from 1 to ${MAX_SERIES}.`)
  }
  return Object.freeze({ timeoutMs, operations, buckets: Object.freeze([...buckets]), maxSeries })
}

export function invalid(message: string): HowdahError {
  return new HowdahError('CORE_INVALID_OPTION', message)
}
