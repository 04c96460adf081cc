import { type CountRow, TOTALS } from '../sql/count-jobs.js'

/** How a queue stands, exactly, as of one moment. */
export interface QueueStats {
  /** Ready to run, jobs of full groups included. */
  readonly waiting: number
  /** Not due yet: added with a delay, or waiting for a retry. */
  readonly delayed: number
  /** Waiting for children. */
  readonly blocked: number
  readonly running: number
  /** Dead letters. */
  readonly dead: number
  readonly paused: boolean
  /** Age of the oldest job at the head of a priority, since it was added, in milliseconds; `null` where none is ready. */
  readonly oldestAgeMs: number | null
  /** Jobs per second over the last minute; `failed` counts attempts. `NaN` where the engine keeps no count (pgmq). */
  readonly rates: { readonly added: number; readonly completed: number; readonly failed: number }
  /** Since the queue was made; `failed` counts attempts, `died` jobs that became dead letters. `NaN` as in `rates`. */
  readonly totals: Readonly<Record<(typeof TOTALS)[number], number>>
}

export function toStats(row: CountRow): QueueStats {
  const { waiting, delayed, blocked, running, dead, paused, oldest, recent, totals } = row
  const [added, completed, failed] = recent.map((n) => n / 60) as [number, number, number]
  return {
    waiting,
    delayed,
    blocked,
    running,
    dead,
    paused,
    oldestAgeMs: oldest,
    rates: { added, completed, failed },
    totals: Object.fromEntries(
      TOTALS.map((name, at) => [name, totals[at] ?? 0]),
    ) as QueueStats['totals'],
  }
}
