/**
 * One handler on the hub.
 *
 * States: waiting -> live <-> paused -> over. Waiting until the first transport carries messages, paused while none does, and
 * until the handler has caught up after that.
 *
 * Invariants
 * - `onMessage` is called only while live, in the order messages came, and never while `onGap` runs.
 * - After a pause `onGap` has ended before any message is delivered; if messages had to be dropped meanwhile, it runs again.
 * - At most one `onGap` of a handler runs at any time. A slow one holds up its own handler only.
 * - Whatever a handler throws goes to `onError`.
 */
import type { Messages } from './message.js'

/** What a package hands to {@link Hub.register}. */
export interface HubHandler {
  /**
   * Called with each message of the kind, in the order of their commits. The payload is shared with other handlers and must not be
   * changed; it is `undefined` for a doorbell.
   */
  onMessage(name: string, payload: unknown): void
  /**
   * Called when messages may have been lost, before any later message is delivered: catch up from tables here. It is not
   * repeated when it fails.
   */
  onGap(): void | Promise<void>
  /** Keeps the process alive while the handler is registered. @defaultValue `false` */
  readonly keepAlive?: boolean | undefined
}

const BUFFERED_MESSAGES = 10_000

/** A handler with its state. */
export class Registration {
  readonly #handler: HubHandler
  readonly #onError: (error: unknown) => void
  #state: 'waiting' | 'live' | 'paused' | 'over' = 'waiting'
  #buffer: Messages[] = []
  #buffered = 0
  /** Whether `onGap` is to run once more. */
  #owed = false
  /** Whether a transport carries messages. */
  #connected = false
  #catchingUp = false
  #settle: { resolve(): void; reject(error: unknown): void } | undefined
  /** Settles when the first transport carries messages, or the hub is closed. */
  readonly ready: Promise<void>

  constructor(handler: HubHandler, onError: (error: unknown) => void) {
    this.#handler = handler
    this.#onError = onError
    this.ready = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject }
    })
  }

  /** Whether the handler waits for the first transport. */
  get waiting(): boolean {
    return this.#state === 'waiting'
  }

  get keepAlive(): boolean {
    return this.waiting || this.#handler.keepAlive === true
  }

  /** A transport carries messages: the handler is live, after it has caught up if it was before. */
  connect(): void {
    this.#connected = true
    if (this.#state === 'waiting') {
      this.#state = 'live'
      this.#settle?.resolve()
    } else if (this.#state === 'paused') {
      void this.#catchUp()
    }
  }

  /** Messages may be lost from here on: later ones are held until the handler has caught up. */
  pause(): void {
    this.#connected = false
    if (this.#state !== 'live' && this.#state !== 'paused') return
    this.#state = 'paused'
    this.#owed = true
  }

  deliver(messages: Messages): void {
    if (this.#state === 'live') this.#call(messages)
    else if (this.#state === 'paused') this.#hold(messages)
  }

  /** Nothing more is delivered. A register() that still waits fails with the error. */
  end(error: unknown): void {
    this.#state = 'over'
    this.#takeBuffer()
    this.#settle?.reject(error)
  }

  #hold(messages: Messages): void {
    this.#buffer.push(messages)
    this.#buffered += messages.payloads.length
    if (this.#buffered <= BUFFERED_MESSAGES) return
    this.#takeBuffer()
    this.#owed = true
  }

  #takeBuffer(): Messages[] {
    const held = this.#buffer
    this.#buffer = []
    this.#buffered = 0
    return held
  }

  async #catchUp(): Promise<void> {
    if (this.#catchingUp) return
    this.#catchingUp = true
    while (this.#owed && this.#connected && this.#state === 'paused') {
      this.#owed = false
      try {
        await this.#handler.onGap()
      } catch (error) {
        this.#onError(error)
      }
    }
    // No await from the loop's last look to here, so that no connect() or pause() falls between.
    this.#catchingUp = false
    if (!this.#connected || this.#state !== 'paused') return
    this.#state = 'live'
    for (const messages of this.#takeBuffer()) this.deliver(messages)
  }

  /** A handler may end, or be paused, by what it does about a message. */
  #call({ kind, name, payloads }: Messages): void {
    for (const [at, payload] of payloads.entries()) {
      if (this.#state !== 'live') {
        this.deliver({ kind, name, payloads: payloads.slice(at) })
        return
      }
      try {
        const result: unknown = this.#handler.onMessage(name, payload)
        if (result instanceof Promise) result.catch(this.#onError)
      } catch (error) {
        this.#onError(error)
      }
    }
  }
}
