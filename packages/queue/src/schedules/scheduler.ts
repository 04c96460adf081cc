/**
 * Fires what is due, for one queue, in each process that works on it or has made a schedule.
 *
 * States: idle -> (start) -> looking <-> waiting -> (stop) -> stopped. Invariants
 * - The database's clock decides what is due; between two looks this process only waits.
 * - Any number of processes may fire the same schedules: each slot is used once (`queue_fire`).
 * - A change of schedules is told by a doorbell, and found without one at the latest after `LOOK_EVERY_MS`.
 */
import { type Database, Loop } from '@howdah/core'
import {
  dueSchedules,
  fireSchedules,
  type ScheduleRow,
  sweepRuns,
  untilNextSchedule,
} from '../sql/schedules.js'
import { withinMs } from '../worker/within.js'
import { dueSlots } from './when.js'

const LOOK_EVERY_MS = 30_000
const FAREWELL_MS = 5_000
const SWEEP_EVERY_MS = 60_000
/** Schedules fired by one statement. */
const AT_ONCE = 200
/** Slots of one schedule used by one statement. */
const SLOTS_AT_ONCE = 100
/** So that a slot that another process is just using is not looked at in a tight loop. */
const LEAST_WAIT_MS = 5

export interface SchedulerOptions {
  readonly db: Database
  open(): Promise<number>
  onError(error: unknown): void
  /** Another clock than the database's, for tests. */
  readonly clock?: (() => number) | undefined
}

/** The loop of one queue. */
export class Scheduler {
  readonly #of: SchedulerOptions
  readonly #loop: Loop
  #sweepAt = 0
  #unregister: Promise<() => Promise<void>> | undefined

  constructor(of: SchedulerOptions) {
    this.#of = of
    this.#loop = new Loop({
      interval: LOOK_EVERY_MS,
      jitter: 0,
      backoff: { initial: 100, max: 5_000 },
      run: () => this.#round(),
      onError: of.onError,
    })
  }

  start(): void {
    this.#loop.start()
  }

  async stop(): Promise<void> {
    // A statement to a server that does not answer must not hold up the end.
    await withinMs(this.#loop.stop(), FAREWELL_MS)
    const unregister = await this.#unregister?.catch(() => undefined)
    this.#unregister = undefined
    await unregister?.()
  }

  /** Fires all that is due now. Answers how many runs were made. */
  async fire(): Promise<number> {
    const { db, open } = this.#of
    const queue = await open()
    let fired = 0
    for (;;) {
      const due = await db.query(dueSchedules(db.schema, queue, this.#now(), AT_ONCE))
      if (due.length === 0) return fired
      const [answer] = await db.query(fireSchedules(db.schema, JSON.stringify(due.map(firing))))
      const made = answer?.fired ?? 0
      fired += made
      // Somebody else is at it.
      if (made === 0) return fired
    }
  }

  async #round(): Promise<number> {
    const { db, open } = this.#of
    const queue = await open()
    this.#listen(String(queue))
    await this.fire()
    const now = performance.now()
    if (now >= this.#sweepAt) {
      const [swept] = await db.query(sweepRuns(db.schema, queue))
      this.#sweepAt = swept?.more === true ? now : now + SWEEP_EVERY_MS
    }
    const [next] = await db.query(untilNextSchedule(db.schema, queue, this.#now()))
    const wait = next?.wait ?? LOOK_EVERY_MS
    return Math.min(LOOK_EVERY_MS, Math.max(LEAST_WAIT_MS, Math.ceil(wait)))
  }

  #now(): number | null {
    return this.#of.clock?.() ?? null
  }

  #listen(queue: string): void {
    const wake = () => this.#loop.wake()
    this.#unregister ??= this.#of.db.hub.register('queue-schedule', {
      onMessage: (name) => {
        if (name === queue) wake()
      },
      onGap: wake,
    })
    this.#unregister.catch(() => {
      this.#unregister = undefined
    })
  }
}

/** One element of what `queue_fire` takes. */
function firing(row: ScheduleRow & { readonly now: number }) {
  const seen = row.nextAt as number
  const { slots, next } = dueSlots(row, row.catchUp, seen, row.now, SLOTS_AT_ONCE)
  return { i: row.id, n: seen, s: slots, t: next }
}
