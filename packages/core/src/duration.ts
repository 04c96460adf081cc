import { HowdahError } from './errors.js'

/** Units a {@link Duration} may be written in. */
export type DurationUnit = 'ms' | 's' | 'm' | 'h' | 'd'

/** A length of time: a number of milliseconds, or a whole or decimal number with its unit, such as `'250ms'`, `'1.5h'`. */
export type Duration = number | `${number}${DurationUnit}`

const MILLISECONDS: Readonly<Record<DurationUnit, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
}
const PATTERN = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/

/** Ten thousand years: beyond it neither a PostgreSQL timestamp nor a reader is served. */
const LONGEST = 10_000 * 365.25 * MILLISECONDS.d

/** Bounds that {@link parseDuration} holds a value to, both inclusive, in milliseconds. */
export interface DurationBounds {
  /** @defaultValue 0 */
  readonly min?: number | undefined
  /** @defaultValue ten thousand years */
  readonly max?: number | undefined
}

/**
 * Turns a {@link Duration} into whole milliseconds, rounding half up.
 *
 * @param name - the option's name, for the error message
 * @throws {@link HowdahError} CORE_INVALID_DURATION when the value is not a duration or lies outside the bounds
 *
 * @example
 * ```ts
 * import { parseDuration } from '@howdah/core'
 *
 * parseDuration('5m') // 300000
 * parseDuration(250, 'pollInterval', { min: 10 }) // 250
 * ```
 */
export function parseDuration(
  value: Duration,
  name = 'duration',
  { min = 0, max = LONGEST }: DurationBounds = {},
): number {
  const ms = toMilliseconds(value)
  if (ms === undefined) {
    throw new HowdahError(
      'CORE_INVALID_DURATION',
      `${name} must be a number of milliseconds or a string such as '250ms', '5s', '10m', '2h' or '7d', not ${describe(value)}.`,
    )
  }
  if (ms < min || ms > max) {
    throw new HowdahError(
      'CORE_INVALID_DURATION',
      `${name} must lie between ${min} and ${max} milliseconds, not ${ms}.`,
    )
  }
  return ms
}

function toMilliseconds(value: unknown): number | undefined {
  if (typeof value === 'number') return Number.isFinite(value) ? Math.round(value) : undefined
  if (typeof value !== 'string') return undefined
  const [, amount, unit] = PATTERN.exec(value) ?? []
  if (amount === undefined || unit === undefined) return undefined
  return Math.round(Number(amount) * MILLISECONDS[unit as DurationUnit])
}

function describe(value: unknown): string {
  if (typeof value === 'string') return `'${value.slice(0, 40)}'`
  // String() of an object may throw.
  return typeof value === 'number' ? String(value) : `a value of type ${typeof value}`
}
