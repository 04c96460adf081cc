import { HowdahError } from '../errors.js'
import { encodeJson } from '../json.js'

/** Largest message, in bytes of its JSON. More belongs into a table, with a message that points there. */
export const MAX_MESSAGE_BYTES: number = 1024 * 1024

/** One message as a receiver gets it. */
export interface Message {
  readonly kind: string
  readonly name: string
  /** `undefined` for a doorbell. */
  readonly payload: unknown
}

/** One message ready to be sent. */
export interface EncodedMessage {
  /** JSON of `[kind, name]` or `[kind, name, payload]`. */
  readonly json: string
  readonly bytes: number
}

/**
 * Turns a message into JSON.
 *
 * @throws {@link HowdahError} CORE_INVALID_NAME when kind or name is no string, or the kind is empty
 * @throws {@link HowdahError} CORE_INVALID_OPTION when the payload has no JSON form
 * @throws {@link HowdahError} CORE_PAYLOAD_TOO_LARGE when it takes more than a mebibyte
 */
export function encodeMessage(kind: string, name: string, payload: unknown): EncodedMessage {
  assertKind(kind)
  if (typeof name !== 'string') {
    throw new HowdahError('CORE_INVALID_NAME', "A message's name must be a string.")
  }
  // JSON.stringify escapes NUL and lone surrogates, so any string is safe to send.
  const head = `[${JSON.stringify(kind)},${JSON.stringify(name)}`
  const json = payload === undefined ? `${head}]` : `${head},${encodeJson(payload, noJson)}]`
  const bytes = Buffer.byteLength(json)
  if (bytes > MAX_MESSAGE_BYTES) {
    throw new HowdahError(
      'CORE_PAYLOAD_TOO_LARGE',
      `A message may take ${MAX_MESSAGE_BYTES} bytes of JSON, and this takes ${bytes}. Store it in a table and send its key.`,
    )
  }
  return { json, bytes }
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
