import { pubSubError } from '../../errors.js'
import { decodeValue, encodeValue } from './codec.js'

/**
 * What one server tells the others.
 *
 * - `hello`: which adapters the sender has; everyone answers with `here`.
 * - `here`: the same, without the question.
 * - `open`, `close`: one adapter came or went.
 * - `alive`: the sender is there. `probe` asks everyone for it.
 * - `bye`: the sender leaves.
 * - `message`: something of Socket.IO, in the body.
 */
export type FrameKind = 'hello' | 'here' | 'open' | 'close' | 'alive' | 'probe' | 'bye' | 'message'

/** The part of a frame that is read by everyone, whether or not the rest is meant for them. */
export interface Frame {
  readonly kind: FrameKind
  /** Id of the process that sent it. */
  readonly server: string
  readonly namespace?: string | undefined
  /** Id of the adapter that sent it. */
  readonly from?: string | undefined
  /** Id of the one adapter it is for. */
  readonly to?: string | undefined
  /** Counts what a server appends to the log. */
  readonly number?: number | undefined
  readonly body: Buffer
}

/** Sender of what comes from no server. Socket.IO does not count it among the servers either. */
export const EMITTER = 'emitter'

/** Largest frame. In base64 it stays below what the hub lets wait. */
const MAX_FRAME_BYTES = 32 * 1024 * 1024

const NOTHING = Buffer.alloc(0)

/**
 * A frame as bytes: the length of its head in 4 bytes, the head as JSON, the body.
 *
 * @throws {@link HowdahError} PUBSUB_MESSAGE_TOO_LARGE
 */
export function encodeFrame({ body, ...head }: Omit<Frame, 'body'> & { body?: Buffer }): Buffer {
  const json = Buffer.from(JSON.stringify(head))
  const length = Buffer.alloc(4)
  length.writeUInt32BE(json.length)
  const bytes = Buffer.concat([length, json, body ?? NOTHING])
  if (bytes.length <= MAX_FRAME_BYTES) return bytes
  throw pubSubError(
    'PUBSUB_MESSAGE_TOO_LARGE',
    `A Socket.IO message of ${bytes.length} bytes was not sent to other servers, for it exceeds ${MAX_FRAME_BYTES}. Store it and send where it is.`,
  )
}

/** @throws Error when the bytes are no frame */
export function decodeFrame(bytes: Buffer): Frame {
  const end = 4 + bytes.readUInt32BE()
  const head = JSON.parse(bytes.toString('utf8', 4, end)) as Omit<Frame, 'body'>
  if (typeof head?.server !== 'string') throw new Error('the frame names no sender')
  return { ...head, body: bytes.subarray(end) }
}

/** The adapters of a server, in the body of `hello` and `here`: pairs of id and namespace. */
export type Roster = readonly (readonly [uid: string, namespace: string])[]

export function encodeRoster(roster: Roster): Buffer {
  return encodeValue(roster)
}

export function decodeRoster(body: Buffer): Roster {
  return decodeValue(body) as Roster
}
