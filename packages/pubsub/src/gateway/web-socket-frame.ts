import { constants, deflateRawSync } from 'node:zlib'

const FINAL_TEXT = 0x81
const FINAL_COMPRESSED_TEXT = 0xc1

/**
 * Builds the frame of a text message from a server.
 *
 * @see https://datatracker.ietf.org/doc/html/rfc6455#section-5.2
 */
export function textFrame(text: string): Buffer {
  return frame(FINAL_TEXT, Buffer.from(text))
}

/**
 * Builds the frame of a compressed text message that depends on no other, so that one serves all clients.
 *
 * @see https://datatracker.ietf.org/doc/html/rfc7692#section-7.2.1
 */
export function compressedTextFrame(text: string): Buffer {
  const deflated = deflateRawSync(text, { finishFlush: constants.Z_SYNC_FLUSH })
  // The empty block at the end, 00 00 ff ff, is left out by agreement.
  return frame(FINAL_COMPRESSED_TEXT, deflated.subarray(0, -4))
}

function frame(first: number, payload: Buffer): Buffer {
  const { length } = payload
  const header = length < 126 ? 2 : length < 65_536 ? 4 : 10
  const whole = Buffer.allocUnsafe(header + length)
  whole[0] = first
  if (header === 2) whole[1] = length
  else if (header === 4) {
    whole[1] = 126
    whole.writeUInt16BE(length, 2)
  } else {
    whole[1] = 127
    whole.writeBigUInt64BE(BigInt(length), 2)
  }
  payload.copy(whole, header)
  return whole
}
