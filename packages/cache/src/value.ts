import { encodeJson } from '@howdah/core'
import { cacheError } from './errors.js'

/**
 * Writes a value as JSON text, which PostgreSQL stores in a `text` column: `jsonb` would refuse `\u0000`.
 *
 * @throws {@link HowdahError} CACHE_INVALID_VALUE when JSON cannot say the value
 * @throws {@link HowdahError} CACHE_VALUE_TOO_LARGE above `maxBytes`
 */
export function encodeValue(value: unknown, maxBytes: number): string {
  const text = encodeJson(value, (cause) =>
    cacheError(
      'CACHE_INVALID_VALUE',
      'The value has no JSON form (undefined, a function, a bigint or a cycle). Use null for "known to be absent", or delete() to forget a key.',
      cause,
    ),
  )
  // A UTF-16 unit is at most three bytes in UTF-8, so most values need no count.
  if (text.length * 3 > maxBytes && Buffer.byteLength(text) > maxBytes) {
    throw cacheError(
      'CACHE_VALUE_TOO_LARGE',
      `The value is ${Buffer.byteLength(text)} bytes and at most ${maxBytes} are stored. Raise maxValueBytes, or cache less.`,
    )
  }
  return text
}

/** Reads a value that {@link encodeValue} wrote. */
export function decodeValue(text: string): unknown {
  return JSON.parse(text)
}
