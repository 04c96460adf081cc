import { HowdahError } from '../errors.js'
import { type EncodedMessage, MAX_MESSAGE_BYTES } from './message.js'

const BATCH_MESSAGES = 1000
const WAITING_MESSAGES = 100_000
const WAITING_BYTES = 64 * 1024 * 1024

interface Waiting {
  readonly message: EncodedMessage
  resolve(): void
  reject(error: unknown): void
}

/**
 * Sends messages through the pool. At most one statement runs at any time, for two could commit in either order; what comes
 * meanwhile shares the next one, so the busier the hub, the more a statement carries.
 */
export class Outbox {
  readonly #send: (messages: readonly EncodedMessage[]) => Promise<void>
  #waiting: Waiting[] = []
  #bytes = 0
  #running: Promise<void> | undefined

  constructor(send: (messages: readonly EncodedMessage[]) => Promise<void>) {
    this.#send = send
  }

  /**
   * Resolves once the message is committed.
   *
   * @throws {@link HowdahError} CORE_OVERLOADED when too much waits already
   */
  add(message: EncodedMessage): Promise<void> {
    if (this.#waiting.length >= WAITING_MESSAGES || this.#bytes + message.bytes > WAITING_BYTES) {
      return Promise.reject(
        new HowdahError(
          'CORE_OVERLOADED',
          'Too many messages wait to be sent. Await each send, or send fewer at a time.',
        ),
      )
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ message, resolve, reject })
      this.#bytes += message.bytes
      // A microtask later, so that all sends of this tick are there.
      this.#running ??= Promise.resolve().then(() => this.#run())
    })
  }

  /** Resolves when nothing waits or is under way. */
  async drained(): Promise<void> {
    await this.#running
  }

  /** Fails what was not yet sent. */
  abandon(error: unknown): void {
    const waiting = this.#waiting
    this.#waiting = []
    this.#bytes = 0
    for (const { reject } of waiting) reject(error)
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#take()
      try {
        await this.#send(batch.map(({ message }) => message))
        for (const { resolve } of batch) resolve()
      } catch (error) {
        for (const { reject } of batch) reject(error)
      }
    }
    this.#running = undefined
  }

  #take(): Waiting[] {
    const next = this.#waiting.slice(0, BATCH_MESSAGES).map(({ message }) => message)
    const batch = this.#waiting.splice(0, fitting(next))
    for (const { message } of batch) this.#bytes -= message.bytes
    return batch
  }
}

/** How many of the first messages fit into one envelope; at least one. */
export function fitting(messages: Iterable<EncodedMessage>): number {
  let count = 0
  let total = 0
  for (const { bytes } of messages) {
    total += bytes + 1
    if (count > 0 && (count === BATCH_MESSAGES || total > MAX_MESSAGE_BYTES)) break
    count++
  }
  return count
}
