import {
  checkSchema,
  type DatabaseSource,
  type StandardSchema,
  type TransactionHandle,
} from '@howdah/core'
import { pubSubError } from './errors.js'

/** Options of {@link PubSub}. */
export interface PubSubOptions {
  /** The application's pool, a PGlite, or a Howdah Database. We never end it. */
  readonly pool: DatabaseSource
  /**
   * Largest message of a channel, in bytes of its JSON or of itself where it is binary; up to 128 MiB. Messages above about a mebibyte go through
   * a table. @defaultValue `67108864`
   */
  readonly maxMessageBytes?: number | undefined
}

/** Options of {@link PubSub.channel}. */
export interface ChannelOptions<T = unknown> {
  /**
   * Checks messages when they are published, and sends what it makes of them: any schema that follows Standard Schema. One that validates asynchronously
   * may change the order of messages that are published at the same time.
   */
  readonly schema?: StandardSchema<unknown, T> | undefined
  /** Largest message, in place of the one that {@link PubSubOptions} say. */
  readonly maxMessageBytes?: number | undefined
}

/** {@link ChannelOptions} checked. */
export interface ResolvedChannelOptions<T> {
  readonly schema: StandardSchema<unknown, T> | undefined
  readonly maxMessageBytes: number
}

/** Options of {@link Channel.publish}. */
export interface PublishOptions {
  /**
   * A transaction to publish in: subscribers hear the message only if it commits. In a {@link Transaction} of ours it is sent right after the commit;
   * in a transaction of another library it is sent by the commit itself, which then waits for other such commits.
   */
  readonly client?: TransactionHandle | undefined
}

/** Options of {@link Channel.subscribe} and {@link Pattern.subscribe}. */
export interface SubscribeOptions {
  /**
   * Called when messages may have been missed, before any message that came later: the connection was lost and is back, or a large message could not
   * be fetched.
   */
  readonly onGap?: (() => unknown) | undefined
}

/** Options of {@link Channel.messages} and {@link Pattern.messages}. */
export interface MessagesOptions extends SubscribeOptions {
  /** Ends the iteration. */
  readonly signal?: AbortSignal | undefined
  /** Messages kept for a reader that is slower than the channel; one more ends the iteration with an error. @defaultValue `10000` */
  readonly maxBuffered?: number | undefined
}

/** Longest name of a channel, in UTF-16 code units. */
export const MAX_NAME: number = 65_536
/** Longest pattern. */
const MAX_PATTERN = 1000
const DEFAULT_MESSAGE_BYTES = 64 * 1024 * 1024
/** PostgreSQL tells bytes as twice as many characters, and a string of JavaScript has half a billion at most. */
const MOST_MESSAGE_BYTES = 128 * 1024 * 1024

/** @throws {@link HowdahError} PUBSUB_INVALID_OPTION */
export function resolveName(name: string): string {
  return text("A channel's name", name, MAX_NAME)
}

/** @throws {@link HowdahError} PUBSUB_INVALID_OPTION */
export function resolvePattern(pattern: string): string {
  return text('A pattern', pattern, MAX_PATTERN)
}

function text(what: string, value: string, longest: number): string {
  // Lone surrogates have no UTF-8, so that SQL could not say the name.
  const wellFormed = typeof value === 'string' && !/\p{Surrogate}/u.test(value)
  if (wellFormed && value !== '' && value.length <= longest) return value
  throw invalid(`${what} must be well-formed text of 1 to ${longest} characters.`)
}

/** @throws {@link HowdahError} PUBSUB_INVALID_OPTION */
export function resolveMaxMessageBytes(maxMessageBytes: number = DEFAULT_MESSAGE_BYTES): number {
  const whole = Number.isSafeInteger(maxMessageBytes) && maxMessageBytes > 0
  if (whole && maxMessageBytes <= MOST_MESSAGE_BYTES) return maxMessageBytes
  throw invalid(`maxMessageBytes must be a whole number from 1 to ${MOST_MESSAGE_BYTES}.`)
}

/** @throws {@link HowdahError} PUBSUB_INVALID_OPTION */
export function resolveChannelOptions<T>(
  { schema, maxMessageBytes }: ChannelOptions<T>,
  defaults: { readonly maxMessageBytes: number },
): ResolvedChannelOptions<T> {
  checkSchema('schema', schema, invalid)
  return Object.freeze({
    schema,
    maxMessageBytes: resolveMaxMessageBytes(maxMessageBytes ?? defaults.maxMessageBytes),
  })
}

/** @throws {@link HowdahError} PUBSUB_INVALID_OPTION */
export function resolveMaxBuffered(maxBuffered = 10_000): number {
  if (Number.isSafeInteger(maxBuffered) && maxBuffered > 0) return maxBuffered
  throw invalid('maxBuffered must be a positive whole number.')
}

/** @throws {@link HowdahError} PUBSUB_INVALID_OPTION */
export function mustBeListener(listener: unknown, onGap: unknown): void {
  if (typeof listener !== 'function') {
    throw invalid('The listener must be a function of a message.')
  }
  if (onGap !== undefined && typeof onGap !== 'function') throw invalid('onGap must be a function.')
}

function invalid(message: string): Error {
  return pubSubError('PUBSUB_INVALID_OPTION', message)
}
