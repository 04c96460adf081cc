import type { Channel } from '../../channel/channel.js'
import type { Subscription } from '../../channel/subscription.js'
import { decodeFrame, encodeFrame, type Frame } from './frame.js'

/** What a {@link FrameChannel} tells. */
export interface FrameListener {
  onFrame(frame: Frame): void
  /** Frames may have been missed. */
  onGap(): void
  onError(error: unknown): void
}

/**
 * Sends frames to all servers, this one included, and receives theirs, over one channel. The frames of one server arrive in the order
 * of the calls, whatever their size.
 */
export class FrameChannel {
  readonly #channel: Channel<Uint8Array>
  readonly #listener: FrameListener
  #subscription: Promise<Subscription> | undefined
  /** Id of this process: 16 characters of one byte each. */
  readonly server: string

  constructor(channel: Channel<Uint8Array>, server: string, listener: FrameListener) {
    this.#channel = channel
    this.server = server
    this.#listener = listener
  }

  /** Resolves once frames are received. */
  async subscribe(): Promise<void> {
    const onGap = (): void => this.#listener.onGap()
    this.#subscription = this.#channel.subscribe((message) => this.#receive(message), { onGap })
    await this.#subscription
  }

  /** Receives no more. */
  async close(): Promise<void> {
    await (await this.#subscription)?.close()
  }

  /** Resolves once PostgreSQL has taken all of the frame. The bytes are taken from the arguments before it returns. */
  async send(frame: Omit<Frame, 'server' | 'body'> & { body?: Buffer }): Promise<void> {
    await this.#channel.publish(encodeFrame({ ...frame, server: this.server }))
  }

  #receive(message: Uint8Array): void {
    try {
      this.#listener.onFrame(
        decodeFrame(Buffer.from(message.buffer, message.byteOffset, message.byteLength)),
      )
    } catch (error) {
      this.#listener.onError(error)
    }
  }
}
