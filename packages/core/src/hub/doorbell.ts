import { HowdahError } from '../errors.js'
import { type EncodedMessage, MAX_MESSAGE_BYTES } from './message.js'

/** Least time between two statements, in milliseconds. */
const PACE_MS = 3
const WAITING_NAMES = 100_000
const STATEMENT_NAMES = 1000

/**
 * Sends doorbells: the first at once, then at most one statement every 3 ms, each with all names that rang meanwhile, every name
 * once. A bell that rings while its own statement is under way rings again, for that statement's receivers may have looked
 * too early.
 */
export class Doorbell {
  readonly #send: (messages: readonly EncodedMessage[]) => Promise<void>
  readonly #onError: (error: unknown) => void
  readonly #waiting = new Map<string, EncodedMessage>()
  #running: Promise<void> | undefined
  #notBefore = 0

  constructor(
    send: (messages: readonly EncodedMessage[]) => Promise<void>,
    onError: (error: unknown) => void,
  ) {
    this.#send = send
    this.#onError = onError
  }

  /** @throws {@link HowdahError} CORE_OVERLOADED when too many different names wait already */
  ring(message: EncodedMessage): void {
    if (this.#waiting.has(message.to.json)) return
    if (this.#waiting.size >= WAITING_NAMES) {
      throw new HowdahError(
        'CORE_OVERLOADED',
        'Too many doorbells wait to be sent, and one was dropped. The database does not keep up.',
      )
    }
    this.#waiting.set(message.to.json, message)
    this.#running ??= Promise.resolve().then(() => this.#run())
  }

  /** Resolves when nothing waits or is under way. */
  async drained(): Promise<void> {
    await this.#running
  }

  /** Forgets what was not yet sent. */
  abandon(): void {
    this.#waiting.clear()
  }

  async #run(): Promise<void> {
    while (this.#waiting.size > 0) {
      await pauseUntil(this.#notBefore)
      this.#notBefore = performance.now() + PACE_MS
      try {
        await this.#send(this.#take())
      } catch (error) {
        this.#onError(error)
      }
    }
    this.#running = undefined
  }

  #take(): EncodedMessage[] {
    const batch: EncodedMessage[] = []
    let bytes = 0
    for (const message of this.#waiting.values()) {
      bytes += message.bytes
      const full = batch.length === STATEMENT_NAMES || bytes > MAX_MESSAGE_BYTES
      if (full && batch.length > 0) break
      batch.push(message)
    }
    for (const { to } of batch) this.#waiting.delete(to.json)
    return batch
  }
}

/**
 * Keeps the process alive, unlike every other wait of the hub: it is short, and a bell that rang should be heard. A timer may fire up to
 * a millisecond early, so it looks at the clock again.
 */
async function pauseUntil(time: number): Promise<void> {
  for (let left = time - performance.now(); left > 0; left = time - performance.now()) {
    await new Promise((resolve) => setTimeout(resolve, Math.ceil(left)))
  }
}
