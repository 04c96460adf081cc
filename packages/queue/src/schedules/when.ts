/**
 * When a schedule runs: slots of a cron or an interval, in milliseconds since the epoch.
 *
 * Crons are croner's to understand, with IANA time zones. A time of day that a change of the clocks skips runs when the clocks have
 * changed, and one that comes twice runs the first time; hours, minutes and seconds given as `*` or steps go on by real time.
 */
import { Cron } from 'croner'
import { invalid } from '../options.js'

/** What of a schedule decides its slots. */
export interface When {
  readonly cron: string | null
  readonly everyMs: number | null
  readonly timezone: string
  /** Intervals are counted from here. */
  readonly anchor: number
}

/** A slot that is later than this was missed, and what becomes of it `catchUp` says. */
export const ON_TIME_MS = 10_000

/** @throws {@link HowdahError} QUEUE_INVALID_OPTION when it is no cron, or no time zone */
export function checkCron(cron: string, timezone: string): string {
  checkTimezone(timezone)
  try {
    const parsed = new Cron(cron, { timezone, paused: true, mode: '5-or-6-parts' })
    if (parsed.nextRun() === null) throw new Error('it never runs')
  } catch (error) {
    throw invalid(
      `cron must have five fields, six with seconds, or be @daily and such: ${(error as Error).message}`,
    )
  }
  return cron
}

/** @throws {@link HowdahError} QUEUE_INVALID_OPTION */
export function checkTimezone(timezone: string): string {
  try {
    new Intl.DateTimeFormat('en', { timeZone: timezone })
    return timezone
  } catch {
    throw invalid('timezone must be a name that IANA has, such as Europe/Berlin.')
  }
}

/** The first slots after a time, at most `count`. */
export function slotsAfter(when: When, after: number, count: number): number[] {
  const { cron, everyMs, anchor } = when
  if (everyMs !== null) {
    const first = Math.floor((after - anchor) / everyMs) + 1
    return Array.from({ length: count }, (_, n) => anchor + (first + n) * everyMs)
  }
  return parsed(cron as string, when.timezone)
    .nextRuns(count, new Date(after))
    .map((at) => at.getTime())
}

/** The first slot after a time; null where there is none. */
export function slotAfter(when: When, after: number): number | null {
  return slotsAfter(when, after, 1)[0] ?? null
}

/** The last slot that is not after `until`, from one that is known to be one on. */
function lastSlot(when: When, known: number, until: number): number {
  const { everyMs, anchor, cron, timezone } = when
  if (everyMs !== null) return anchor + Math.floor((until - anchor) / everyMs) * everyMs
  // Before the next whole second, for it looks at whole ones.
  const behind = (Math.floor(until / 1000) + 1) * 1000
  const [last] = parsed(cron as string, timezone).previousRuns(1, new Date(behind))
  return Math.max(known, last?.getTime() ?? known)
}

/** Slots that are to be used now, and the one to wait for. */
export interface Firing {
  readonly slots: readonly number[]
  readonly next: number | null
}

/** What is due at `now`, from the slot the schedule waited for on: at most `limit`, the rest at once after. */
export function dueSlots(
  when: When,
  catchUp: 'skip' | 'last' | 'all',
  waitedFor: number,
  now: number,
  limit: number,
): Firing {
  const onTime = now - ON_TIME_MS
  let from = waitedFor
  if (from < onTime && catchUp !== 'all') {
    const missed = lastSlot(when, from, onTime - 1)
    const next = slotAfter(when, missed)
    if (catchUp === 'last' && (next === null || next > now)) return { slots: [missed], next }
    if (next === null || next > now) return { slots: [], next }
    from = next
  }
  const slots = [from]
  let next = slotAfter(when, from)
  while (next !== null && next <= now && slots.length < limit) {
    slots.push(next)
    next = slotAfter(when, next)
  }
  return { slots, next }
}

/** Parsing is dear, and crons are few. */
const cache = new Map<string, Cron>()
const CACHED = 1000

function parsed(cron: string, timezone: string): Cron {
  const key = `${timezone} ${cron}`
  let found = cache.get(key)
  if (found === undefined) {
    found = new Cron(cron, { timezone, paused: true, mode: '5-or-6-parts' })
    if (cache.size >= CACHED) cache.clear()
    cache.set(key, found)
  }
  return found
}
