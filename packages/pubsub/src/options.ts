import type { DatabaseSource, TransactionHandle } from '@howdah/core'
import { pubSubError } from './errors.js'

/** Options of {@link PubSub}. */
export interface PubSubOptions {
  /** The application's pool, a PGlite, or a Howdah Database. We never end it. */
  readonly pool: DatabaseSource
}

/** Options of {@link Channel.publish}. */
export interface PublishOptions {
  /**
   * A transaction to publish in: subscribers hear the message only if it commits. In a {@link Transaction} of ours it is sent right after the commit;
   * in a transaction of another library it is sent by the commit itself, which then waits for other such commits.
   */
  readonly client?: TransactionHandle | undefined
}

/** Options of {@link Channel.subscribe}. */
export interface SubscribeOptions {
  /** Called when messages may have been missed (the connection was lost and is back), before any message that came later. */
  readonly onGap?: (() => void) | undefined
}

/** Options of {@link Channel.messages}. */
export interface MessagesOptions {
  /** Ends the iteration. */
  readonly signal?: AbortSignal | undefined
  /** Messages kept for a reader that is slower than the channel; one more ends the iteration with an error. @defaultValue `10000` */
  readonly maxBuffered?: number | undefined
}

const MAX_NAME = 1000

/** @throws {@link HowdahError} PUBSUB_INVALID_OPTION */
export function resolveName(name: string): string {
  const wellFormed = typeof name === 'string' && !/\p{Surrogate}/u.test(name)
  if (wellFormed && name !== '' && name.length <= MAX_NAME) return name
  throw pubSubError(
    'PUBSUB_INVALID_OPTION',
    `A channel's name must be well-formed text of 1 to ${MAX_NAME} characters.`,
  )
}

/** @throws {@link HowdahError} PUBSUB_INVALID_OPTION */
export function resolveMaxBuffered(maxBuffered = 10_000): number {
  if (Number.isSafeInteger(maxBuffered) && maxBuffered > 0) return maxBuffered
  throw pubSubError('PUBSUB_INVALID_OPTION', 'maxBuffered must be a positive whole number.')
}
