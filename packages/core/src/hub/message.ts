import { HowdahError } from '../errors.js'
import { encodeJson } from '../json.js'

/** Largest message, in bytes of its JSON. More belongs into a table, with a message that points there. */
export const MAX_MESSAGE_BYTES: number = 1024 * 1024

/** Messages of one kind and name that follow one another, as a receiver gets them. */
export interface Messages {
  readonly kind: string
  readonly name: string
  /** One for each message; `undefined` for a doorbell. */
  readonly payloads: readonly unknown[]
}

/** Kind and name of messages, made ready once for many of them. */
export interface Address {
  /** JSON of kind and name, with a comma between them. */
  readonly json: string
  readonly bytes: number
  /** Bytes of JSON that a payload may take. */
  readonly room: number
}

/** One message ready to be sent. */
export interface EncodedMessage {
  readonly to: Address
  /** JSON of the payload; `undefined` for a doorbell. */
  readonly json: string | undefined
  /** Bytes of `[kind,name,payload]`. */
  readonly bytes: number
}

/** Brackets, and the comma before a payload. */
const AROUND_BYTES = 3

/** @throws {@link HowdahError} CORE_INVALID_NAME when kind or name is no string, or the kind is empty */
export function addressOf(kind: string, name: string): Address {
  assertKind(kind)
  if (typeof name !== 'string') {
    throw new HowdahError('CORE_INVALID_NAME', "A message's name must be a string.")
  }
  // JSON.stringify escapes NUL and lone surrogates, so any string is safe to send.
  const json = `${JSON.stringify(kind)},${JSON.stringify(name)}`
  const bytes = Buffer.byteLength(json)
  return { json, bytes, room: MAX_MESSAGE_BYTES - bytes - AROUND_BYTES }
}

/**
 * Joins a payload that is JSON already to its address.
 *
 * @throws {@link HowdahError} CORE_PAYLOAD_TOO_LARGE when they take more than a mebibyte
 */
export function messageOf(to: Address, json: string | undefined): EncodedMessage {
  const bytes = to.bytes + AROUND_BYTES + (json === undefined ? 0 : Buffer.byteLength(json))
  if (bytes > MAX_MESSAGE_BYTES) {
    throw new HowdahError(
      'CORE_PAYLOAD_TOO_LARGE',
      `A message may take ${MAX_MESSAGE_BYTES} bytes of JSON, and this takes ${bytes}. Store it in a table and send its key.`,
    )
  }
  return { to, json, bytes }
}

/**
 * Turns a message into JSON.
 *
 * @throws {@link HowdahError} CORE_INVALID_NAME when kind or name is no string, or the kind is empty
 * @throws {@link HowdahError} CORE_INVALID_OPTION when the payload has no JSON form
 * @throws {@link HowdahError} CORE_PAYLOAD_TOO_LARGE when it takes more than a mebibyte
 */
export function encodeMessage(kind: string, name: string, payload: unknown): EncodedMessage {
  const to = addressOf(kind, name)
  return messageOf(to, payload === undefined ? undefined : encodeJson(payload, noJson))
}

/** @throws {@link HowdahError} CORE_INVALID_NAME */
export function assertKind(kind: unknown): asserts kind is string {
  if (typeof kind === 'string' && kind !== '') return
  throw new HowdahError('CORE_INVALID_NAME', "A message's kind must be a string that is not empty.")
}

function noJson(cause: unknown): HowdahError {
  return new HowdahError(
    'CORE_INVALID_OPTION',
    'A payload must have a JSON form: no functions, symbols, BigInts or cycles.',
    { cause },
  )
}
