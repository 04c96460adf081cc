import { constants } from 'node:os'
import { CommandError } from './errors.mjs'

// States: running -> interrupted, once, and never back.
//
// - The first signal is passed to every child; nothing new is started; the command unwinds.
// - `npm run` passes a ^C on although the terminal has already sent it to us, so one key press can
//   arrive twice. A child must see it once: for many programs a second one means "stop at once".
// - A later signal is a person who has waited long enough: it is passed on again.

/** Signals this close together are one key press that came by two routes. */
const ONE_KEY_PRESS_MS = 250
const WATCH_PARENT_MS = 500

export class Interruption {
  /** @type {NodeJS.Signals | undefined} */
  signal
  #oneKeyPressMs
  /** @type {Set<(signal: NodeJS.Signals) => void>} */
  #children = new Set()
  #last = Number.NEGATIVE_INFINITY

  constructor(oneKeyPressMs = ONE_KEY_PRESS_MS) {
    this.#oneKeyPressMs = oneKeyPressMs
  }

  /** The shell's convention, 128 + the signal's number; undefined while nothing has interrupted us. */
  get exitCode() {
    return this.signal && 128 + constants.signals[this.signal]
  }

  listen() {
    for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
      process.on(signal, () => this.interrupt(signal))
    }
    if (process.env.npm_lifecycle_event !== undefined) this.#watchParent()
  }

  /**
   * Sends `deliver` each signal from now on. Returns the function that ends this.
   *
   * @param {(signal: NodeJS.Signals) => void} deliver
   */
  forwardTo(deliver) {
    this.#children.add(deliver)
    return () => this.#children.delete(deliver)
  }

  /**
   * Acts as if this process had received the signal.
   *
   * @param {NodeJS.Signals} signal
   */
  interrupt(signal) {
    const now = performance.now()
    const repeated = now - this.#last < this.#oneKeyPressMs
    this.#last = now
    if (repeated) return
    this.signal ??= signal
    for (const deliver of this.#children) deliver(signal)
  }

  throwIfInterrupted() {
    if (this.signal !== undefined) throw new CommandError(`Interrupted by ${this.signal}.`)
  }

  // npm runs us through a shell and signals that shell, which may keep the signal to itself: the
  // scripts in package.json say `exec` for that reason. Should npm end without a word, or be killed,
  // a change of parent tells us.
  #watchParent() {
    const parent = process.ppid
    const timer = setInterval(() => {
      if (process.ppid === parent) return
      clearInterval(timer)
      this.interrupt('SIGTERM')
    }, WATCH_PARENT_MS)
    timer.unref()
  }
}

/** The one interruption of this process. */
export const interruption = new Interruption()
