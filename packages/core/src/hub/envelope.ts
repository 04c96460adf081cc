/**
 * What travels in a notification.
 *
 * - An envelope, `[2, hubId, seq, [kind, name, [payload, ...]?], ...]`: many messages of one hub in their order; those of one name that follow
 *   one another say it once, and a doorbell has no payloads. Hub id and number make each envelope unique, for PostgreSQL drops
 *   equal notifications of a transaction.
 * - An envelope as SQL writes it, `[1, hubId, seq, [[kind, name, payload?], ...]]`.
 * - A part, `~hubId.seq.index.count~text`: a slice of an envelope longer than a notification may be.
 * - A probe, `?nonce`: a self-test of some hub, which others pass over.
 */
import type { Address, EncodedMessage, Messages } from './message.js'
import { MAX_MESSAGE_BYTES } from './message.js'

const VERSION = 2
const VERSION_OF_SQL = 1

/** Bytes of a notification's payload that PostgreSQL takes. */
export const MAX_NOTIFICATION_BYTES = 7999

/** Room for the longest part header: `~`, 12 bytes of hub id, three numbers, dots, `~`. */
const HEADER_BYTES = 48

const PART = /^~([\w-]{12})\.(\d{1,16})\.(\d{1,4})\.(\d{1,4})~/

/** Bytes an envelope adds to its messages, at most: brackets, version, hub id, number, commas. */
const ENVELOPE_BYTES = 48

/** Bytes a message adds to its own where it begins a group, at most: brackets around the payloads, and a comma. */
const GROUP_BYTES = 3

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
  let text = `[${VERSION},"${hubId}",${seq}`
  let group: Address | undefined
  for (const { to, json } of messages) {
    if (to.json === group?.json && json !== undefined) {
      text += `,${json}`
      continue
    }
    if (group !== undefined) text += ']]'
    group = json === undefined ? undefined : to
    text += json === undefined ? `,[${to.json}]` : `,[${to.json},[${json}`
  }
  return group === undefined ? `${text}]` : `${text}]]]`
}

/**
 * Packs messages into as few envelopes that fit a notification as their order allows, and cuts those that do not fit alone.
 *
 * @param nextSeq - draws the number of an envelope
 */
export function pack(
  hubId: string,
  nextSeq: () => number,
  messages: readonly EncodedMessage[],
): string[] {
  const notifications: string[] = []
  for (let from = 0, to = 0; from < messages.length; from = to) {
    to = endOfEnvelope(messages, from)
    const seq = nextSeq()
    const envelope = encodeEnvelope(hubId, seq, messages.slice(from, to))
    if (to > from + 1) notifications.push(envelope)
    else notifications.push(...toNotifications(hubId, seq, envelope))
  }
  return notifications
}

/** Where the envelope ends that begins with the message `from`. */
function endOfEnvelope(messages: readonly EncodedMessage[], from: number): number {
  let room = MAX_NOTIFICATION_BYTES - ENVELOPE_BYTES
  let before: EncodedMessage | undefined
  for (let at = from; at < messages.length; at++) {
    const message = messages[at] as EncodedMessage
    room -= message.bytes + GROUP_BYTES - (message.to === before?.to ? message.to.bytes : 0)
    if (room < 0 && at > from) return at
    before = message
  }
  return messages.length
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
export function decodeEnvelope(text: string): Messages[] {
  const envelope: unknown = JSON.parse(text)
  if (!Array.isArray(envelope)) throw new Error('it is no envelope')
  const [version, , , ofSql] = envelope as unknown[]
  if (version === VERSION) return envelope.slice(3).map(decodeGroup)
  if (version !== VERSION_OF_SQL) throw new Error(`it has version ${String(version)}`)
  if (!Array.isArray(ofSql)) throw new Error('it holds no messages')
  return ofSql.map((message) => {
    if (!Array.isArray(message)) throw new Error('a message has no name')
    const [kind, name] = message
    return decodeGroup(message.length < 3 ? [kind, name] : [kind, name, message.slice(2, 3)])
  })
}

const DOORBELL: readonly unknown[] = [undefined]

function decodeGroup(group: unknown): Messages {
  const [kind, name, payloads = DOORBELL] = Array.isArray(group) ? (group as unknown[]) : []
  if (typeof kind !== 'string' || typeof name !== 'string') throw new Error('a message has no name')
  if (!Array.isArray(payloads)) throw new Error('a message has no payloads')
  return { kind, name, payloads }
}
