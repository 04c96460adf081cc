import { Backoff } from '@howdah/core'

/** More than this are a store that has been down for a day; the logouts after that have failed, and are not tried again. */
const MOST = 10_000

/** Sessions that are to be ended and may be in one of the stores still. Tries again until they are not, one at a time while it fails. */
export class PendingEnds {
  readonly #ids = new Set<string>()
  readonly #end: (sid: string) => Promise<void>
  readonly #backoff = new Backoff({ initial: '200ms', max: '5s' })
  #waiting = false
  #timer: NodeJS.Timeout | undefined
  #closed = false

  constructor(end: (sid: string) => Promise<void>) {
    this.#end = end
  }

  get size(): number {
    return this.#ids.size
  }

  has(sid: string): boolean {
    return this.#ids.has(sid)
  }

  add(sid: string): void {
    if (this.#ids.size < MOST) this.#ids.add(sid)
    this.#schedule()
  }

  /** Tries once more, and then no longer. */
  async close(): Promise<void> {
    this.#closed = true
    clearTimeout(this.#timer)
    await this.#tryAgain()
  }

  #schedule(): void {
    if (this.#closed || this.#waiting || this.#ids.size === 0) return
    this.#waiting = true
    const again = () => {
      void this.#tryAgain().finally(() => {
        this.#waiting = false
        this.#schedule()
      })
    }
    this.#timer = setTimeout(again, this.#backoff.next())
    this.#timer.unref()
  }

  async #tryAgain(): Promise<void> {
    for (const sid of [...this.#ids]) {
      try {
        await this.#end(sid)
      } catch {
        // It was reported. Behind the others, so that one that never succeeds does not hold them up.
        this.#ids.delete(sid)
        this.#ids.add(sid)
        return
      }
      this.#ids.delete(sid)
      this.#backoff.reset()
    }
  }
}
