import { Backoff, type BackoffOptions } from './backoff.js'
import { type Duration, parseDuration } from './duration.js'
import { HowdahError } from './errors.js'

/** A longer timer fires at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

/** Options of {@link Loop}. */
export interface LoopOptions {
  /** The work of one round. It may return how long to wait before the next, instead of `interval`. */
  readonly run: (signal: AbortSignal) => Promise<Duration | undefined>
  /** How long to wait between the end of a round and the start of the next. */
  readonly interval: Duration
  /** Part of a wait that is drawn at random, so that many processes do not work in step. @defaultValue `0.2` */
  readonly jitter?: number | undefined
  /** Waits after rounds that failed. */
  readonly backoff?: BackoffOptions | undefined
  /** Called with the error of each failed round; the loop goes on by itself. */
  readonly onError?: ((error: unknown) => void) | undefined
  /** Keeps the process alive while waiting. @defaultValue `false` */
  readonly keepAlive?: boolean | undefined
}

/**
 * The supervised loop that every background activity of Howdah runs in: one round at a time, jittered waits, restart
 * with backoff after an error, and a stop that aborts the round under way and waits for it.
 *
 * States: idle -> (start) -> running <-> waiting -> (stop) -> stopped. Invariants:
 * - at most one round runs at any time;
 * - a `wake()` is never lost: one that comes during a round starts another right after it;
 * - after `stop()` has resolved no round runs and no timer is left.
 *
 * @example
 * ```ts
 * import { Loop } from '@howdah/core'
 *
 * const loop = new Loop({ interval: '30s', run: async (signal) => { signal.throwIfAborted(); return undefined } })
 * loop.start()
 * loop.wake()
 * await loop.stop()
 * ```
 */
export class Loop {
  readonly #options: LoopOptions
  readonly #interval: number
  readonly #jitter: number
  readonly #backoff: Backoff
  #abort: AbortController | undefined
  #finished: Promise<void> = Promise.resolve()
  #woken = false
  #wakeUp: (() => void) | undefined

  constructor(options: LoopOptions) {
    this.#options = options
    this.#interval = parseDuration(options.interval, 'interval')
    this.#jitter = options.jitter ?? 0.2
    if (!(this.#jitter >= 0 && this.#jitter <= 1)) {
      throw new HowdahError('CORE_INVALID_OPTION', 'jitter must be a number from 0 to 1.')
    }
    this.#backoff = new Backoff(options.backoff)
  }

  /** Tells whether the loop has been started and not stopped. */
  get running(): boolean {
    return this.#abort !== undefined
  }

  /** Starts the first round at once. Does nothing while running. */
  start(): void {
    if (this.#abort !== undefined) return
    const abort = new AbortController()
    const before = this.#finished
    this.#abort = abort
    this.#finished = before.then(() => this.#loop(abort.signal))
  }

  /** Ends the wait, so that the next round starts now, or right after the round under way. */
  wake(): void {
    this.#woken = true
    this.#wakeUp?.()
  }

  /** Aborts the round under way, waits for it to end and starts no other. */
  async stop(): Promise<void> {
    this.#abort?.abort()
    this.#abort = undefined
    this.#wakeUp?.()
    await this.#finished
  }

  async #loop(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#woken = false
      await this.#wait(await this.#round(signal), signal)
    }
  }

  async #round(signal: AbortSignal): Promise<number> {
    try {
      const next = await this.#options.run(signal)
      this.#backoff.reset()
      const wait = next === undefined ? this.#interval : parseDuration(next, 'wait')
      return wait * (1 - this.#jitter * Math.random())
    } catch (error) {
      if (!signal.aborted) this.#report(error)
      return this.#backoff.next()
    }
  }

  /** A listener that throws must not end the loop that reports to it. */
  #report(error: unknown): void {
    try {
      this.#options.onError?.(error)
    } catch (ofListener) {
      process.emitWarning(ofListener instanceof Error ? ofListener : String(ofListener))
    }
  }

  #wait(ms: number, signal: AbortSignal): Promise<void> {
    if (this.#woken || signal.aborted) return Promise.resolve()
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#wakeUp?.(), Math.min(ms, LONGEST_TIMER_MS))
      if (this.#options.keepAlive !== true) timer.unref()
      this.#wakeUp = () => {
        clearTimeout(timer)
        this.#wakeUp = undefined
        resolve()
      }
    })
  }
}
