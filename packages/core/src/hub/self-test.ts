import { randomBytes } from 'node:crypto'
import { hubProbe } from '../sql/hub-probe.js'
import type { TransportContext } from './transport.js'
import { within } from './wait.js'

/** What a self-test found; `undecided` where the pool could not send in time, which says nothing about the connection. */
export type Verdict = 'undecided' | 'hears' | 'deaf'

/**
 * Finds out whether the `LISTEN` connection hears what the pool sends: a notification goes out through the pool, and must
 * come in.
 */
export class SelfTest {
  readonly #context: TransportContext
  readonly #ask: () => Promise<void>
  #nonce: string | undefined
  #heard: () => void = () => {}
  #verdict: Verdict = 'undecided'

  /** @param ask - makes a round trip on the connection */
  constructor(context: TransportContext, ask: () => Promise<void>) {
    this.#context = context
    this.#ask = ask
  }

  get verdict(): Verdict {
    return this.#verdict
  }

  /** Takes each notification of the connection. */
  hear(notification: string): void {
    if (this.#nonce !== undefined && notification === this.#nonce) this.#heard()
  }

  /** @throws what the connection fails with */
  async run(signal: AbortSignal): Promise<Verdict> {
    const { db, channel, pool } = this.#context
    const limit = db.options.hub.selfTest
    const nonce = `?${randomBytes(12).toString('base64url')}`
    this.#nonce = nonce
    const heard = new Promise<true>((resolve) => {
      this.#heard = () => resolve(true)
    })
    try {
      await pool.run(hubProbe(db.schema, channel, nonce), limit, signal)
    } catch {
      signal.throwIfAborted()
      return 'undecided'
    }
    const inTime = await within(heard, limit, '', signal).catch(() => false)
    signal.throwIfAborted()
    // The server sends what there is before it answers, so after a round trip silence proves deafness, not slowness.
    if (!inTime) await this.#ask()
    const arrived = inTime || (await Promise.race([heard, Promise.resolve(false)]))
    this.#verdict = arrived ? 'hears' : 'deaf'
    return this.#verdict
  }
}
