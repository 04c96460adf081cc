/**
 * Sends messages through the pool.
 *
 * Invariants
 * - At most one statement runs at any time, for two could commit in either order. What comes meanwhile shares the next one, so the busier the
 *   hub, the more a statement carries.
 * - All messages of a statement have one promise: it is a whole batch that is committed or not.
 */
import { HowdahError } from '../errors.js'
import { type EncodedMessage, MAX_MESSAGE_BYTES } from './message.js'

const BATCH_MESSAGES = 1000
const WAITING_MESSAGES = 100_000
const WAITING_BYTES = 64 * 1024 * 1024

/** Messages that go in one statement. */
class Batch {
  readonly messages: EncodedMessage[] = []
  bytes = 0
  resolve: () => void = () => {}
  reject: (error: unknown) => void = () => {}
  readonly sent = new Promise<void>((resolve, reject) => {
    this.resolve = resolve
    this.reject = reject
  })

  /** Whether it is to go without this message. */
  isFullFor({ bytes }: EncodedMessage): boolean {
    const { length } = this.messages
    return length > 0 && (length >= BATCH_MESSAGES || this.bytes + bytes > MAX_MESSAGE_BYTES)
  }
}

export class Outbox {
  readonly #send: (messages: readonly EncodedMessage[]) => Promise<void>
  /** In order; the last takes what comes. */
  #waiting: Batch[] = []
  #messages = 0
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
    if (this.#messages >= WAITING_MESSAGES || this.#bytes + message.bytes > WAITING_BYTES) {
      return Promise.reject(
        new HowdahError(
          'CORE_OVERLOADED',
          'Too many messages wait to be sent. Await each send, or send fewer at a time.',
        ),
      )
    }
    let batch = this.#waiting.at(-1)
    if (batch === undefined || batch.isFullFor(message)) {
      batch = new Batch()
      this.#waiting.push(batch)
    }
    batch.messages.push(message)
    batch.bytes += message.bytes
    this.#messages++
    this.#bytes += message.bytes
    // A microtask later, so that all sends of this tick are there.
    this.#running ??= Promise.resolve().then(() => this.#run())
    return batch.sent
  }

  /** Resolves when nothing waits or is under way. */
  async drained(): Promise<void> {
    await this.#running
  }

  /** Fails what was not yet sent. */
  abandon(error: unknown): void {
    const waiting = this.#waiting
    this.#waiting = []
    this.#messages = 0
    this.#bytes = 0
    for (const { reject } of waiting) reject(error)
  }

  async #run(): Promise<void> {
    for (let batch = this.#take(); batch !== undefined; batch = this.#take()) {
      await this.#send(batch.messages).then(batch.resolve, batch.reject)
    }
    this.#running = undefined
  }

  #take(): Batch | undefined {
    const batch = this.#waiting.shift()
    if (batch === undefined) return undefined
    this.#messages -= batch.messages.length
    this.#bytes -= batch.bytes
    return batch
  }
}
