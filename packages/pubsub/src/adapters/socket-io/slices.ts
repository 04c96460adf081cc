/**
 * Frames of any size in channel messages of limited size.
 *
 * A message is `0` and a frame, or `1`, the sender's id in 16 bytes, the frame's number, the slice's index and the count of slices in 4 bytes
 * each, and the slice. A channel keeps the order of one sender, so its slices follow one another and at most one frame of each sender is
 * being put together. Slices of which one is missing are dropped.
 */
const WHOLE = 0
const SLICE = 1
const ID_BYTES = 16
const HEAD_BYTES = 1 + ID_BYTES + 12

/** Bytes of a slice. In base64 it stays below the mebibyte that a channel takes. */
const SLICE_BYTES = 512 * 1024

/** More slices than this are no frame of ours. */
const MAX_SLICES = 64

/** Cuts a frame into messages. `number` tells the frames of one sender apart. */
export function slice(frame: Buffer, sender: string, number: number): Buffer[] {
  if (frame.length <= SLICE_BYTES) return [Buffer.concat([Buffer.of(WHOLE), frame])]
  const count = Math.ceil(frame.length / SLICE_BYTES)
  return Array.from({ length: count }, (_, index) => {
    const head = Buffer.alloc(HEAD_BYTES)
    head.writeUInt8(SLICE)
    head.write(sender, 1, ID_BYTES, 'latin1')
    head.writeUInt32BE(number, 1 + ID_BYTES)
    head.writeUInt32BE(index, 5 + ID_BYTES)
    head.writeUInt32BE(count, 9 + ID_BYTES)
    return Buffer.concat([head, frame.subarray(index * SLICE_BYTES, (index + 1) * SLICE_BYTES)])
  })
}

interface Unfinished {
  readonly number: number
  readonly count: number
  readonly slices: Buffer[]
}

/** Puts the frames of all senders together. */
export class Assembly {
  readonly #bySender = new Map<string, Unfinished>()

  /** Takes the next message and answers the frame it completes. */
  accept(message: Buffer): Buffer | undefined {
    if (message[0] === WHOLE) return message.subarray(1)
    if (message[0] !== SLICE || message.length < HEAD_BYTES) throw new Error('it is no frame')
    const sender = message.toString('latin1', 1, 1 + ID_BYTES)
    const number = message.readUInt32BE(1 + ID_BYTES)
    const index = message.readUInt32BE(5 + ID_BYTES)
    const count = message.readUInt32BE(9 + ID_BYTES)
    if (index === 0 && count <= MAX_SLICES) {
      this.#bySender.set(sender, { number, count, slices: [] })
    }
    const unfinished = this.#bySender.get(sender)
    if (unfinished?.number !== number || unfinished.slices.length !== index) {
      this.#bySender.delete(sender)
      return undefined
    }
    unfinished.slices.push(message.subarray(HEAD_BYTES))
    if (unfinished.slices.length < unfinished.count) return undefined
    this.#bySender.delete(sender)
    return Buffer.concat(unfinished.slices)
  }

  /** Forgets what is unfinished, of one sender or of all. */
  forget(sender?: string): void {
    if (sender === undefined) this.#bySender.clear()
    else this.#bySender.delete(sender)
  }
}
