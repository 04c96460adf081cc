/**
 * Proves that messages come in: sends a nonce to itself through the application's pool, again and again while near caches are read.
 *
 * A nonce that comes in proves that every message committed before it was sent has come in, for messages keep the order of commits,
 * whether the hub listens or polls. It goes through the pool, as the reads do, so it also proves that both lead to one server.
 * When it does not come in (the connection is frozen, the pool is busy, the server is gone) nothing fails: the last proof grows
 * old, and readers go to the database.
 *
 * States: resting <-> sending. It rests once nobody has read for a whole interval, so that an idle process writes nothing.
 */
import { Loop } from '@howdah/core'

/** What {@link NearFreshness} works with. */
export interface NearFreshnessOptions {
  /** Milliseconds between two nonces, as of now. */
  readonly interval: () => number
  /** How often near caches were asked, so far. */
  readonly lookups: () => number
  /** Whether it is of any use to send. */
  readonly useful: () => boolean
  /** Sends; answers `false` where the writers were not told to tell us of changes, and nothing was sent. */
  readonly send: (nonce: string) => Promise<boolean>
  readonly onRefused: () => void
  readonly onError: (error: unknown) => void
}

/** Nonces whose statement has not been answered: the pool is busy or hangs, and more of them would not help. */
const MOST_UNANSWERED = 3
/** Longest wait after failures. */
const LONGEST_WAIT_MS = 5_000
/** Resting: as good as for ever, until woken. */
const REST_MS = 86_400_000

let instances = 0

/** Keeps {@link NearFreshness.proof} young. */
export class NearFreshness {
  /** When the newest nonce that came in was sent, by `performance.now()`. */
  readonly proof: { sentAt: number } = { sentAt: Number.NEGATIVE_INFINITY }
  readonly #options: NearFreshnessOptions
  readonly #loop: Loop
  readonly #sent = new Map<string, number>()
  readonly #id: string =
    `${process.pid.toString(36)}-${(++instances).toString(36)}-${Math.random().toString(36).slice(2)}`
  #count = 0
  #unanswered = 0
  #failures = 0
  #resting = true
  #lookups = 0

  constructor(options: NearFreshnessOptions) {
    this.#options = options
    this.#loop = new Loop({
      interval: REST_MS,
      run: async () => this.#round(),
      onError: options.onError,
    })
  }

  /** Goes on sending, if it rests. */
  wake(): void {
    if (!this.#resting) return
    this.#resting = false
    this.#lookups = -1
    this.#loop.start()
    this.#loop.wake()
  }

  /** Sends the next one now, unless it rests. */
  hurry(): void {
    if (!this.#resting) this.#loop.wake()
  }

  /** Takes a nonce that came in; those of other processes are none of ours. */
  hear(nonce: unknown): void {
    const sentAt = this.#sent.get(nonce as string)
    if (sentAt === undefined) return
    this.#sent.delete(nonce as string)
    if (sentAt > this.proof.sentAt) this.proof.sentAt = sentAt
  }

  /** Messages may have been lost: nothing sent before counts. */
  reset(): void {
    this.#sent.clear()
    this.proof.sentAt = Number.NEGATIVE_INFINITY
  }

  async stop(): Promise<void> {
    this.reset()
    this.#resting = true
    await this.#loop.stop()
  }

  #round(): number {
    const lookups = this.#options.lookups()
    if (lookups === this.#lookups) {
      this.#resting = true
      return REST_MS
    }
    this.#lookups = lookups
    if (this.#options.useful() && this.#unanswered < MOST_UNANSWERED) void this.#send()
    const interval = this.#options.interval()
    return Math.min(
      interval * 2 ** Math.min(this.#failures, 20),
      Math.max(interval, LONGEST_WAIT_MS),
    )
  }

  /** Not awaited by the loop, so that a statement that hangs holds up no other. Never rejects. */
  async #send(): Promise<void> {
    const nonce = `${this.#id}.${++this.#count}`
    this.#unanswered++
    this.#sent.set(nonce, performance.now())
    try {
      const sent = await this.#options.send(nonce)
      this.#failures = 0
      if (sent) return this.#forgetOld()
      this.#sent.delete(nonce)
      this.#options.onRefused()
    } catch (error) {
      this.#sent.delete(nonce)
      this.#failures++
      this.#options.onError(error)
    } finally {
      this.#unanswered--
    }
  }

  /** A nonce that went out and has not come in for so many others never will. */
  #forgetOld(): void {
    for (const nonce of this.#sent.keys()) {
      if (this.#sent.size <= 100) return
      this.#sent.delete(nonce)
    }
  }
}
