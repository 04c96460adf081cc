import type { FrameEncoder } from './frame-encoder.js'
import type { Outgoing } from './outgoing.js'
import type { ServerFrame } from './protocol.js'

/** One connected client as a subscription sees it: where its frames go, and in what form. */
export interface Client {
  readonly encoder: FrameEncoder
  readonly outgoing: Outgoing
  /** Sends the frame of one message. */
  sendMessage(frame: Uint8Array): void
  send(frame: ServerFrame): void
  /** Closes a client that is too slow. */
  closeSlow(): void
}
