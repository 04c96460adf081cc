/**
 * When a worker without work looks again, and whether adding a job is to wake it.
 *
 * States
 * - asleep: the server knows that this worker sleeps, and whoever adds a job rings. It looks by itself less and less often.
 * - awake: doorbells would come so often that it is cheaper for everyone to look every few milliseconds. Nobody rings.
 *
 * asleep -> awake when work is found, or the bell rings, ten times in a tenth of a second; awake -> asleep when that has become rarer.
 *
 * A job that was added by a transaction which looked before the worker fell asleep, and commits after, rings for nobody. So looking
 * begins anew at short intervals after each job.
 */
const WINDOW_MS = 100
const BUSY_EVENTS = 10
const QUIET_EVENTS = 5
const AWAKE_POLL_MS = 5
const FIRST_POLL_MS = 20
/** How long the server takes the worker to be asleep, unless told again. */
export const ASLEEP_FOR_MS = 30_000

/** The rhythm of one worker. */
export class Cadence {
  readonly #pollInterval: number
  #events: number[] = []
  #awake = false
  #next = FIRST_POLL_MS
  #markedUntil = 0

  constructor(pollInterval: number) {
    this.#pollInterval = pollInterval
  }

  /** Notes that work was found or the bell rang. */
  active(now: number): void {
    this.#events.push(now)
    if (this.#events.length > BUSY_EVENTS) this.#events.shift()
    this.#next = FIRST_POLL_MS
    if (this.#count(now) >= BUSY_EVENTS) this.#awake = true
  }

  /** Whether little has happened lately, so that single statements cost nobody anything. */
  quiet(now: number): boolean {
    return !this.#awake && this.#count(now) < QUIET_EVENTS
  }

  /** Whether the server is to be told that nobody needs to ring. */
  get toWake(): boolean {
    return this.#awake && this.#markedUntil > 0
  }

  /** Whether the server is to be told that this worker sleeps. */
  toSleep(now: number): boolean {
    if (this.#awake && this.#count(now) < QUIET_EVENTS) this.#awake = false
    return !this.#awake && now > this.#markedUntil - ASLEEP_FOR_MS / 2
  }

  marked(now: number, asleep: boolean): void {
    this.#markedUntil = asleep ? now + ASLEEP_FOR_MS : 0
  }

  /** How long to wait before looking again. */
  wait(): number {
    if (this.#awake) return Math.min(AWAKE_POLL_MS, this.#pollInterval)
    const wait = Math.min(this.#next, this.#pollInterval)
    this.#next = Math.min(this.#next * 2, this.#pollInterval)
    return wait * (1 - 0.2 * Math.random())
  }

  #count(now: number): number {
    return this.#events.filter((at) => now - at < WINDOW_MS).length
  }
}
