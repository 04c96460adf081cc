import type { Channel, Subscription } from '../../channel.js'
import { decodeFrame, encodeFrame, type Frame } from './frame.js'
import { Assembly, slice } from './slices.js'

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
  readonly #channel: Channel<string>
  readonly #listener: FrameListener
  readonly #assembly = new Assembly()
  #subscription: Promise<Subscription> | undefined
  #number = 0
  /** Id of this process: 16 characters of one byte each. */
  readonly server: string

  constructor(channel: Channel<string>, server: string, listener: FrameListener) {
    this.#channel = channel
    this.server = server
    this.#listener = listener
  }

  /** Resolves once frames are received. */
  async subscribe(): Promise<void> {
    const onGap = (): void => {
      this.#assembly.forget()
      this.#listener.onGap()
    }
    this.#subscription = this.#channel.subscribe((message) => this.#receive(message), { onGap })
    await this.#subscription
  }

  /** Receives no more. */
  async close(): Promise<void> {
    await (await this.#subscription)?.close()
  }

  /** Resolves once PostgreSQL has taken all of the frame. The bytes are taken from the arguments before it returns. */
  async send(frame: Omit<Frame, 'server' | 'body'> & { body?: Buffer }): Promise<void> {
    const bytes = encodeFrame({ ...frame, server: this.server })
    this.#number = (this.#number + 1) % 2 ** 32
    const messages = slice(bytes, this.server, this.#number)
    await Promise.all(messages.map((message) => this.#channel.publish(toMessage(message))))
  }

  /** Forgets the unfinished frame of a server that is gone. */
  forget(server: string): void {
    this.#assembly.forget(server)
  }

  #receive(message: string): void {
    try {
      const bytes = this.#assembly.accept(fromMessage(message))
      if (bytes !== undefined) this.#listener.onFrame(decodeFrame(bytes))
    } catch (error) {
      this.#listener.onError(error)
    }
  }
}

/** How bytes travel in a message of a channel. */
function toMessage(bytes: Buffer): string {
  return bytes.toString('base64')
}

function fromMessage(message: string): Buffer {
  return Buffer.from(message, 'base64')
}
