import { HowdahError } from '@howdah/core'

/** Codes thrown by `@howdah/queue`. Each is explained in `docs/errors.md`. */
export type QueueErrorCode =
  | 'QUEUE_INVALID_OPTION'
  | 'QUEUE_INVALID_PAYLOAD'
  | 'QUEUE_PAYLOAD_TOO_LARGE'
  | 'QUEUE_LEASE_LOST'
  | 'QUEUE_CLOSED'

/** Makes an error of this package. */
export function queueError(
  code: QueueErrorCode,
  message: string,
  cause?: unknown,
): HowdahError<QueueErrorCode> {
  return new HowdahError(code, message, cause === undefined ? undefined : { cause })
}
