import { createHash } from 'node:crypto'
import { encodeJson } from '@howdah/core'
import { sessionError } from './options.js'

/**
 * SHA-256 of a session id, in hex.
 *
 * @throws {@link HowdahError} SESSION_INVALID_ID when the id is empty, no string, or not well-formed Unicode
 */
export function hashId(id: unknown): string {
  // A lone surrogate has no UTF-8 form: its replacement would make two ids one.
  if (typeof id !== 'string' || id === '' || /\p{Surrogate}/u.test(id)) {
    throw sessionError(
      'SESSION_INVALID_ID',
      'A session id must be a non-empty string of well-formed Unicode. Use a random one of at least 128 bits.',
    )
  }
  return createHash('sha256').update(id).digest('hex')
}

/** @throws {@link HowdahError} SESSION_INVALID_DATA, SESSION_TOO_LARGE */
export function encodeSession(data: unknown, maxBytes: number): string {
  const text = encodeJson(data, (cause) =>
    sessionError(
      'SESSION_INVALID_DATA',
      'The session cannot be written as JSON. Remove functions, cycles and bigints from it.',
      { cause },
    ),
  )
  const bytes = Buffer.byteLength(text)
  if (bytes > maxBytes) {
    throw sessionError(
      'SESSION_TOO_LARGE',
      `The session is ${bytes} bytes of JSON and maxBytes is ${maxBytes}. Keep large things in tables of your own.`,
    )
  }
  return text
}

/** @throws {@link HowdahError} SESSION_CORRUPT */
export function decodeSession(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw sessionError(
      'SESSION_CORRUPT',
      'A stored session is not valid JSON: something else wrote to the session table. Destroy the session.',
      { cause },
    )
  }
}
