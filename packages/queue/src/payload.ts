import { encodeJson } from '@howdah/core'
import { queueError } from './errors.js'

/**
 * Writes a payload as JSON text.
 *
 * @throws {@link HowdahError} QUEUE_INVALID_PAYLOAD when JSON cannot say it
 * @throws {@link HowdahError} QUEUE_PAYLOAD_TOO_LARGE above `maxBytes`
 */
export function encodePayload(payload: unknown, maxBytes: number): string {
  const text = encodeJson(payload, (cause) =>
    queueError(
      'QUEUE_INVALID_PAYLOAD',
      'The payload has no JSON form (undefined, a function, a bigint or a cycle). Use null for "nothing to say".',
      cause,
    ),
  )
  const bytes = Buffer.byteLength(text)
  if (bytes > maxBytes) {
    throw queueError(
      'QUEUE_PAYLOAD_TOO_LARGE',
      `The payload is ${bytes} bytes and at most ${maxBytes} are queued. Store it in a table and queue its key.`,
    )
  }
  return text
}
