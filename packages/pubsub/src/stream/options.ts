import {
  type Duration,
  parseDuration,
  type StandardSchema,
  type TransactionHandle,
} from '@howdah/core'
import { pubSubError } from '../errors.js'
import type { After, Batch } from './batch.js'

/** How much of a stream is kept. What exceeds any of the limits goes, oldest first; at least what is asked for stays. */
export interface Retention {
  /** @defaultValue for ever */
  readonly maxAge?: Duration | undefined
  /** Bytes of payloads as PostgreSQL stores them. @defaultValue no limit */
  readonly maxBytes?: number | undefined
  /** @defaultValue no limit */
  readonly maxMessages?: number | undefined
}

/**
 * Options of {@link PubSub.stream}. `retention` and `dedupWindow` are kept in the database: all processes share them, and what the last one
 * said counts. One that is not given stays what it was.
 */
export interface StreamOptions<T = unknown> {
  /** Checks payloads when they are appended, and stores what it makes of them: any schema that follows Standard Schema. */
  readonly schema?: StandardSchema<unknown, T> | undefined
  /** What is kept. `null` keeps everything, as does a stream that was never told. */
  readonly retention?: Retention | null | undefined
  /** How long a `dedupKey` is remembered. @defaultValue `'1d'` */
  readonly dedupWindow?: Duration | undefined
  /** Largest payload, in bytes of its JSON text. @defaultValue `1048576` */
  readonly maxPayloadBytes?: number | undefined
}

/** Options of one message. */
export interface MessageOptions {
  /** What the message is about: readers in a group that keep an order keep it among messages of one key. */
  readonly key?: string | undefined
  /** Names the message, so that it is appended once however often this is tried. */
  readonly dedupKey?: string | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
}

/** Options of {@link Stream.appendMany}. */
export interface AppendManyOptions {
  /** A transaction to append in: the message is there if and when it commits. */
  readonly client?: TransactionHandle | undefined
  /**
   * Appends only if this is the offset of the last message, those included that are committed and not in order yet. Appends that say so are held
   * against each other; one that does not is held against nothing.
   */
  readonly expectedOffset?: number | undefined
}

/** Options of {@link Stream.append}. */
export interface AppendOptions extends MessageOptions, AppendManyOptions {}

/** One message for {@link Stream.appendMany}. */
export interface NewMessage<T> extends MessageOptions {
  readonly payload: T
}

/** What an append answers. */
export interface Appended {
  /** Names the message for good. It is not its offset, which is known once it is in order. */
  readonly id: string
  /** Whether the `dedupKey` was appended before: nothing was stored, and `id` is that of the first. */
  readonly duplicate: boolean
}

/** A place at which a stream does not continue what was read before it. */
export type Discontinuity = Pick<Batch, 'continuity' | 'validUntil' | 'lost'>

/** Options of {@link Stream.messages}. */
export interface FollowOptions {
  /** @defaultValue `'latest'` */
  readonly after?: After | undefined
  /** Ends the iteration. */
  readonly signal?: AbortSignal | undefined
  /**
   * Called where messages are gone, or where the server was replaced by one that never had them, before the messages that follow. Without it
   * the reading ends with PUBSUB_TRUNCATED or PUBSUB_RESET.
   */
  readonly onDiscontinuity?: ((place: Discontinuity) => void | Promise<void>) | undefined
}

const MAX_NAME = 500
const MAX_KEY = 1000
const MAX_LIMIT = 10_000
export const DEFAULT_MAX_PAYLOAD_BYTES: number = 1024 * 1024

/** @throws {@link HowdahError} PUBSUB_INVALID_OPTION */
export function resolveStreamName(name: string): string {
  return text("A stream's name", name, MAX_NAME)
}

/** @throws {@link HowdahError} PUBSUB_INVALID_OPTION */
export function resolveLimit(limit = 500): number {
  return whole('limit', limit, 1, MAX_LIMIT)
}

/**
 * What of the options the database keeps, by column.
 *
 * @throws {@link HowdahError} PUBSUB_INVALID_OPTION, CORE_INVALID_DURATION
 */
export function streamSettings({ retention, dedupWindow }: StreamOptions): string {
  const settings: Record<string, number | null> = {}
  if (retention !== undefined) {
    const { maxAge, maxBytes, maxMessages } = retention ?? {}
    const limit = (name: string, value: number | undefined) =>
      value === undefined ? null : whole(name, value, 1, Number.MAX_SAFE_INTEGER)
    settings['max_age_ms'] =
      maxAge === undefined ? null : parseDuration(maxAge, 'retention.maxAge', { min: 1 })
    settings['max_bytes'] = limit('retention.maxBytes', maxBytes)
    settings['max_messages'] = limit('retention.maxMessages', maxMessages)
  }
  if (dedupWindow !== undefined) {
    settings['dedup_ms'] = parseDuration(dedupWindow, 'dedupWindow', { min: 1 })
  }
  return JSON.stringify(settings)
}

/** @throws {@link HowdahError} PUBSUB_INVALID_OPTION */
export function resolveMessageKey(
  name: 'key' | 'dedupKey',
  key: string | undefined,
): string | null {
  return key === undefined ? null : text(name, key, MAX_KEY)
}

/** @throws {@link HowdahError} PUBSUB_INVALID_OPTION */
export function resolveHeaders(headers: MessageOptions['headers']): string | null {
  if (headers === undefined) return null
  const valid =
    typeof headers === 'object' &&
    headers !== null &&
    Object.values(headers).every((value) => typeof value === 'string')
  if (!valid) throw invalid('headers must be an object of strings.')
  return JSON.stringify(headers)
}

/** @throws {@link HowdahError} PUBSUB_INVALID_OPTION */
export function resolveExpected(offset: number | undefined): number | null {
  return offset === undefined ? null : whole('expectedOffset', offset, 0, Number.MAX_SAFE_INTEGER)
}

/** @throws {@link HowdahError} PUBSUB_INVALID_OPTION */
export function whole(name: string, value: number, min: number, max: number): number {
  if (Number.isSafeInteger(value) && value >= min && value <= max) return value
  throw invalid(`${name} must be a whole number from ${min} to ${max}.`)
}

/** @throws {@link HowdahError} PUBSUB_INVALID_OPTION */
export function text(what: string, value: string, max: number): string {
  const wellFormed =
    typeof value === 'string' && !value.includes('\0') && !/\p{Surrogate}/u.test(value)
  if (wellFormed && value !== '' && value.length <= max) return value
  throw invalid(`${what} must be well-formed text of 1 to ${max} characters without NUL.`)
}

export function invalid(message: string): Error {
  return pubSubError('PUBSUB_INVALID_OPTION', message)
}
