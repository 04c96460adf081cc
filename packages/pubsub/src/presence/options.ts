import { encodeJson, HowdahError } from '@howdah/core'
import { pubSubError } from '../errors.js'

const MAX_CHARACTERS = 1000
/** Every process that watches keeps the data of all members. */
const MAX_DATA_BYTES = 64 * 1024

/** @throws {@link HowdahError} PUBSUB_INVALID_OPTION */
export function resolvePresenceText(text: string, what: string): string {
  const wellFormed = typeof text === 'string' && !/[\0\p{Surrogate}]/u.test(text)
  if (wellFormed && text !== '' && text.length <= MAX_CHARACTERS) return text
  throw pubSubError(
    'PUBSUB_INVALID_OPTION',
    `${what} must be well-formed text of 1 to ${MAX_CHARACTERS} characters, without NUL.`,
  )
}

/** @throws {@link HowdahError} PUBSUB_INVALID_MESSAGE, CORE_PAYLOAD_TOO_LARGE */
export function encodePresenceData(data: unknown): string | undefined {
  if (data === undefined) return undefined
  const json = encodeJson(data, noJson)
  const bytes = Buffer.byteLength(json)
  if (bytes <= MAX_DATA_BYTES) return json
  throw new HowdahError(
    'CORE_PAYLOAD_TOO_LARGE',
    `A member's data may take ${MAX_DATA_BYTES} bytes of JSON, and this takes ${bytes}. Store it in a table and say its key.`,
  )
}

function noJson(cause: unknown) {
  return pubSubError(
    'PUBSUB_INVALID_MESSAGE',
    "A member's data must have a JSON form: no functions, symbols, BigInts or cycles.",
    cause,
  )
}
