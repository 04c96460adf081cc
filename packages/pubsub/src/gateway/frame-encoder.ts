import type { StreamMessage } from '../stream/batch.js'
import type { ServerFrame } from './protocol.js'

/** How a transport wraps the JSON of a frame. */
export interface Codec {
  /** @param type - the frame's `t`, for transports that name their events */
  wrap(json: string, type: string): Uint8Array
}

/** JSON of payloads, once per message and process, whatever the gateway and the channel's name. */
const payloads = new WeakMap<StreamMessage, string>()

/**
 * Encodes frames for one transport. The frame of a stream's message is made once and shared by all clients that did not skip the message before
 * it; others have a frame of their own around the shared JSON.
 */
export class FrameEncoder {
  readonly #codec: Codec
  readonly #shared = new WeakMap<
    StreamMessage,
    { readonly ch: string; readonly frame: Uint8Array }
  >()

  constructor(codec: Codec) {
    this.#codec = codec
  }

  frame(frame: ServerFrame): Uint8Array {
    return this.#codec.wrap(JSON.stringify(frame), frame.t)
  }

  /** @param prev - offset of the message that the client had, or skipped, before this one */
  streamMessage(ch: string, message: StreamMessage, prev: number): Uint8Array {
    if (prev !== message.offset - 1) return this.#wrapMessage(ch, message, prev)
    const shared = this.#shared.get(message)
    if (shared?.ch === ch) return shared.frame
    const frame = this.#wrapMessage(ch, message, prev)
    this.#shared.set(message, { ch, frame })
    return frame
  }

  channelMessage(ch: string, message: unknown): Uint8Array {
    return this.#codec.wrap(`{"t":"msg","ch":${JSON.stringify(ch)},${payloadOf(message)}}`, 'msg')
  }

  #wrapMessage(ch: string, message: StreamMessage, prev: number): Uint8Array {
    let payload = payloads.get(message)
    if (payload === undefined) {
      payload = payloadOf(message.payload)
      payloads.set(message, payload)
    }
    const head = `{"t":"msg","ch":${JSON.stringify(ch)},"off":"${message.position}","prev":${prev}`
    return this.#codec.wrap(`${head},${payload}}`, 'msg')
  }
}

/** Bytes have no form in JSON; base64 is what every client can read. */
function payloadOf(message: unknown): string {
  if (message instanceof Uint8Array) {
    const bytes = Buffer.from(message.buffer, message.byteOffset, message.byteLength)
    return `"b64":"${bytes.toString('base64')}"`
  }
  return `"data":${JSON.stringify(message)}`
}
