/**
 * What travels in a notification.
 *
 * - An envelope, `[version, hubId, seq, [[kind, name, payload?], ...]]`: many messages of one hub. Hub id and number make each
 *   one unique, for PostgreSQL drops equal notifications of a transaction.
 * - A part, `~hubId.seq.index.count~text`: a slice of an envelope longer than a notification may be.
 * - A probe, `?nonce`: a self-test of some hub, which others pass over.
 */
import type { EncodedMessage, Message } from './message.js'
import { MAX_MESSAGE_BYTES } from './message.js'

const VERSION = 1

/** Bytes of a notification's payload that PostgreSQL takes. */
export const MAX_NOTIFICATION_BYTES = 7999

/** Room for the longest part header: `~`, 12 bytes of hub id, three numbers, dots, `~`. */
const HEADER_BYTES = 48

const PART = /^~([\w-]{12})\.(\d{1,16})\.(\d{1,4})\.(\d{1,4})~/

/** Bytes an envelope adds to its messages, at most. */
const ENVELOPE_BYTES = 64

/** A slice of an envelope. */
export interface Part {
  /** Tells which envelope: hub id and number. */
  readonly of: string
  readonly index: number
  readonly count: number
  readonly text: string
}

/** Puts messages into one envelope. */
export function encodeEnvelope(
  hubId: string,
  seq: number,
  messages: readonly EncodedMessage[],
): string {
  return `[${VERSION},"${hubId}",${seq},[${messages.map(({ json }) => json).join(',')}]]`
}

/** Cuts an envelope into as many notifications as it takes; one, as it is, where it fits. */
export function toNotifications(
  hubId: string,
  seq: number,
  envelope: string,
  limit: number = MAX_NOTIFICATION_BYTES,
): string[] {
  // No UTF-16 unit takes more than three bytes, so most envelopes need not be measured.
  if (envelope.length * 3 <= limit || Buffer.byteLength(envelope) <= limit) return [envelope]
  const bytes = Buffer.from(envelope)
  const slices: string[] = []
  for (let start = 0, end = 0; start < bytes.length; start = end) {
    end = characterBoundary(bytes, Math.min(bytes.length, start + limit - HEADER_BYTES))
    slices.push(bytes.toString('utf8', start, end))
  }
  return slices.map((text, index) => `~${hubId}.${seq}.${index}.${slices.length}~${text}`)
}

/** Moves back to where a character begins: its further bytes are those that read `10xxxxxx`. */
function characterBoundary(bytes: Buffer, at: number): number {
  let end = at
  while (end < bytes.length && ((bytes[end] as number) & 0xc0) === 0x80) end--
  return end
}

/** Reads a part; `undefined` when the text is none. */
export function decodePart(text: string): Part | undefined {
  const [header, hubId, seq, index, count] = PART.exec(text) ?? []
  if (header === undefined) return undefined
  return {
    of: `${hubId}.${seq}`,
    index: Number(index),
    count: Number(count),
    text: text.slice(header.length),
  }
}

/** The most parts a message is taken from, as many as the largest one has. */
export const MAX_PARTS: number = Math.ceil(
  (MAX_MESSAGE_BYTES + ENVELOPE_BYTES) / (MAX_NOTIFICATION_BYTES - HEADER_BYTES - 3),
)

/**
 * Reads an envelope. The channel is open to everyone who may connect, so nothing about it is taken for granted.
 *
 * @throws Error when it is no envelope of a version we read
 */
export function decodeEnvelope(text: string): Message[] {
  const envelope: unknown = JSON.parse(text)
  if (!Array.isArray(envelope)) throw new Error('it is no envelope')
  const [version, , , messages] = envelope as unknown[]
  if (version !== VERSION) throw new Error(`it has version ${String(version)}`)
  if (!Array.isArray(messages)) throw new Error('it holds no messages')
  return messages.map(decodeMessage)
}

function decodeMessage(message: unknown): Message {
  const [kind, name, payload] = Array.isArray(message) ? (message as unknown[]) : []
  if (typeof kind !== 'string' || typeof name !== 'string') throw new Error('a message has no name')
  return { kind, name, payload }
}
