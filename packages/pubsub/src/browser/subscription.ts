/**
 * One channel or stream as the client follows it.
 *
 * Invariants
 * - Of a stream every message is handed over once and in order, from the first position on: one that was had is dropped, one that does not
 *   continue the last makes the client ask again from there.
 * - What answers an earlier request of the same channel is ignored: only the `subd` with the last `id` starts the messages.
 */
import type { Filter } from '../gateway/filter.js'
import type { ClientFrame, ServerFrame, SubscriptionState } from '../gateway/protocol.js'

/** A message as it comes in. */
export interface MessageFrame {
  readonly t: 'msg'
  readonly ch: string
  readonly off?: string
  readonly prev?: number
  readonly data?: unknown
  readonly b64?: string
}

/** A refusal of a subscription, or its end. */
export type Refused = Extract<ServerFrame, { readonly t: 'error' }>

/** What a subscription is told. */
export interface SubscribeHandlers<T> {
  /** Where to begin in a stream: a position, `'earliest'` or `'latest'`. @defaultValue `'latest'` */
  readonly after?: string | undefined
  /** Messages the server should send; others are passed over there. */
  readonly filter?: Filter | undefined
  /** Called with each message; `position` is where to read on after it, and `undefined` on channels. */
  readonly onMessage: (data: T, position: string | undefined) => void
  /** Called when messages come from now on, and how that continues what was read before. */
  readonly onSubscribed?:
    | ((state: SubscriptionState, position: string | undefined) => void)
    | undefined
  /** Messages of a stream are gone for good: how many, where that is known. Begin anew from your own data. */
  readonly onTruncated?: ((lost: number | undefined) => void) | undefined
  /** The database was replaced by one that ends at this offset: what was read beyond it never happened. */
  readonly onReset?: ((validUntil: number | undefined) => void) | undefined
  /** Messages of a channel may have been missed: how many, where that is known. */
  readonly onGap?: ((missed: number | undefined) => void) | undefined
  /** The subscription was refused or ended by the server. With PUBSUB_UNAVAILABLE and PUBSUB_RATE_LIMITED it is tried again. */
  readonly onError?: ((code: string, message: string) => void) | undefined
}

const TRY_AGAIN = 5000

/** A subscription of a {@link Connection}. */
export class BrowserSubscription {
  readonly channel: string
  readonly #handlers: SubscribeHandlers<never>
  readonly #send: (frame: ClientFrame) => void
  readonly #nextId: () => number
  readonly #onClose: () => void
  #position: string | undefined
  /** The request whose answer is waited for or was accepted. */
  #id = 0
  #live = false
  #wasLive = false
  #again: ReturnType<typeof setTimeout> | undefined

  /** @internal */
  constructor(
    channel: string,
    handlers: SubscribeHandlers<never>,
    send: (frame: ClientFrame) => void,
    nextId: () => number,
    onClose: () => void,
  ) {
    this.channel = channel
    this.#handlers = handlers
    this.#position = handlers.after
    this.#send = send
    this.#nextId = nextId
    this.#onClose = onClose
  }

  /** Where the client is in a stream; to be kept where a page wants to go on later. */
  get position(): string | undefined {
    return this.#position
  }

  /** Ends the subscription. */
  close(): void {
    clearTimeout(this.#again)
    this.#live = false
    this.#id = -1
    this.#onClose()
  }

  /** Asks the gateway, from where the last message was. @internal */
  ask(): void {
    clearTimeout(this.#again)
    this.#live = false
    this.#id = this.#nextId()
    const { filter } = this.#handlers
    this.#send({ t: 'sub', id: this.#id, ch: this.channel, after: this.#position, filter })
  }

  /** @internal */
  lost(): void {
    clearTimeout(this.#again)
    this.#live = false
  }

  /** @internal */
  fail({ code, message, id }: Refused): void {
    if (id !== undefined && id !== this.#id) return
    this.#live = false
    if (code === 'PUBSUB_UNAVAILABLE' || code === 'PUBSUB_RATE_LIMITED') {
      clearTimeout(this.#again)
      this.#again = setTimeout(() => this.ask(), Math.random() * TRY_AGAIN)
    }
    this.#handlers.onError?.(code, message)
  }

  /** @internal */
  receive(frame: ServerFrame | MessageFrame): void {
    if (frame.t === 'subd') this.#subscribed(frame)
    else if (!this.#live) return
    else if (frame.t === 'msg') this.#message(frame)
    else if (frame.t === 'skip') this.#position = frame.off
    else if (frame.t === 'gap') this.#handlers.onGap?.(frame.missed)
  }

  #subscribed(frame: Extract<ServerFrame, { readonly t: 'subd' }>): void {
    if (frame.id !== this.#id) return
    const { onSubscribed, onTruncated, onReset, onGap } = this.#handlers
    const wasLive = this.#wasLive
    this.#live = this.#wasLive = true
    if (frame.off !== undefined) this.#position = frame.off
    // A channel keeps nothing for those who were away.
    else if (wasLive) onGap?.(undefined)
    if (frame.state === 'truncated') onTruncated?.(frame.lost)
    if (frame.state === 'reset') onReset?.(frame.valid)
    onSubscribed?.(frame.state, frame.off)
  }

  #message({ off, prev, data, b64 }: MessageFrame): void {
    if (off !== undefined) {
      const last = offsetOf(this.#position)
      if (offsetOf(off) <= last) return
      if (prev !== last) {
        this.ask()
        return
      }
      this.#position = off
    }
    const value = b64 === undefined ? data : Uint8Array.from(atob(b64), (c) => c.charCodeAt(0))
    this.#handlers.onMessage(value as never, off)
  }
}

function offsetOf(position = ''): number {
  return Number(position.slice(position.indexOf(':') + 1))
}
