import { encodeJson } from '@howdah/core'
import { sessionError } from './errors.js'

/** @throws {@link HowdahError} SESSION_INVALID_DATA */
export function encodeData(data: unknown): string {
  const text = encodeJson(data, (cause) =>
    sessionError(
      'SESSION_INVALID_DATA',
      'The session cannot be written as JSON. Remove functions, cycles and bigints from it.',
      { cause },
    ),
  )
  if (text.startsWith('{')) return text
  throw sessionError(
    'SESSION_INVALID_DATA',
    'The data of a session must be an object: its keys are what concurrent requests are told apart by.',
  )
}

/** @throws {@link HowdahError} SESSION_CORRUPT */
export function decodeData(text: string): object {
  try {
    const data: unknown = JSON.parse(text)
    if (typeof data === 'object' && data !== null && !Array.isArray(data)) return data
  } catch (cause) {
    throw corrupt(cause)
  }
  throw corrupt()
}

/** @throws {@link HowdahError} SESSION_TOO_LARGE */
export function assertSize(text: string, maxBytes: number): void {
  // A text has at least as many bytes as code units, and at most three times as many.
  if (text.length * 3 <= maxBytes) return
  const bytes = Buffer.byteLength(text)
  if (bytes <= maxBytes) return
  throw sessionError(
    'SESSION_TOO_LARGE',
    `The session is ${bytes} bytes of JSON and maxBytes is ${maxBytes}. Keep large things in tables of your own.`,
  )
}

function corrupt(cause?: unknown) {
  return sessionError(
    'SESSION_CORRUPT',
    'A stored session is not what was saved: something else wrote to the session table. Destroy the session.',
    { cause },
  )
}
