import { HowdahError } from '@howdah/core'

/** Codes thrown by `@howdah/pubsub`. Each is explained in `docs/errors.md`. */
export type PubSubErrorCode =
  | 'PUBSUB_INVALID_OPTION'
  | 'PUBSUB_INVALID_MESSAGE'
  | 'PUBSUB_MESSAGE_TOO_LARGE'
  | 'PUBSUB_CONFLICT'
  | 'PUBSUB_NOT_FOUND'
  | 'PUBSUB_TRUNCATED'
  | 'PUBSUB_RESET'
  | 'PUBSUB_LEASE_LOST'
  | 'PUBSUB_SLOW_CONSUMER'
  | 'PUBSUB_NOT_PRESENT'
  | 'PUBSUB_UNKNOWN_TABLE'
  | 'PUBSUB_UNKNOWN_COLUMN'
  | 'PUBSUB_UNWATCHABLE_TABLE'
  | 'PUBSUB_NOT_TABLE_OWNER'
  | 'PUBSUB_INVALID_CONDITION'
  | 'PUBSUB_NOT_WATCHED'
  | 'PUBSUB_NO_CONNECTION'
  | 'PUBSUB_CLOSED'
  | 'PUBSUB_BAD_FRAME'
  | 'PUBSUB_INVALID_FILTER'
  | 'PUBSUB_FORBIDDEN'
  | 'PUBSUB_UNKNOWN_CHANNEL'
  | 'PUBSUB_TOO_MANY_SUBSCRIPTIONS'
  | 'PUBSUB_RATE_LIMITED'
  | 'PUBSUB_UNAVAILABLE'
  | 'PUBSUB_DISCONNECTED'

/** Makes an error of this package. */
export function pubSubError(
  code: PubSubErrorCode,
  message: string,
  cause?: unknown,
): HowdahError<PubSubErrorCode> {
  return new HowdahError(code, message, cause === undefined ? undefined : { cause })
}
