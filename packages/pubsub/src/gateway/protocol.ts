import { pubSubError } from '../errors.js'
import type { Filter } from './filter.js'

/** What a client may send. Every frame is one JSON object; the table is in `docs/pubsub-gateways.md`. */
export type ClientFrame =
  | {
      readonly t: 'sub'
      /** Chosen by the client; what answers this subscription repeats it. */
      readonly id: number
      readonly ch: string
      readonly after?: string | undefined
      readonly filter?: Filter | undefined
    }
  | { readonly t: 'unsub'; readonly ch: string }
  | { readonly t: 'pub'; readonly id: number; readonly ch: string; readonly data: unknown }
  | { readonly t: 'token'; readonly token: string }
  | { readonly t: 'ping' }

/** How a subscription begins, or goes on after something was lost. */
export type SubscriptionState = 'live' | 'recovered' | 'truncated' | 'reset'

/** What a gateway sends. Messages themselves are built in `frame-encoder.ts`. */
export type ServerFrame =
  | {
      readonly t: 'subd'
      readonly id: number
      readonly ch: string
      readonly state: SubscriptionState
      /** Position from which messages follow; streams only. */
      readonly off?: string | undefined
      /** Offset up to which what was read before still holds; after `'reset'`. */
      readonly valid?: number | undefined
      /** How many messages are gone for good; after `'truncated'`. */
      readonly lost?: number | undefined
    }
  | { readonly t: 'skip'; readonly ch: string; readonly off: string }
  | { readonly t: 'gap'; readonly ch: string; readonly missed?: number | undefined }
  | { readonly t: 'ok'; readonly id: number }
  | {
      readonly t: 'error'
      readonly code: string
      readonly message: string
      /** The subscription that ended, or never began. */
      readonly ch?: string | undefined
      /** The `sub` or `pub` it answers. */
      readonly id?: number | undefined
    }
  | { readonly t: 'pong' }
  /** Asks for a fresh token. */
  | { readonly t: 'token' }
  /** The server will go: connect again after so many milliseconds. */
  | { readonly t: 'going'; readonly in: number }

/** Why a gateway closed a WebSocket, beside the codes of RFC 6455. */
export const CLOSE_CODES = {
  malformed: 4400,
  unauthenticated: 4401,
  slow: 4408,
  rateLimited: 4429,
  /** RFC 6455 registry: the server restarts. */
  restart: 1012,
  goingAway: 1001,
  notText: 1003,
} as const

/** Longest name of a channel, in characters. */
const MAX_NAME = 1000
/** Longest token, in characters; a frame may be larger. */
const MAX_TOKEN = 16_384

/** @throws {@link HowdahError} PUBSUB_BAD_FRAME */
export function parseClientFrame(text: string): ClientFrame {
  const frame = parseObject(text)
  switch (frame['t']) {
    case 'ping':
      return { t: 'ping' }
    case 'token':
      return { t: 'token', token: textOf(frame, 'token', MAX_TOKEN) }
    case 'unsub':
      return { t: 'unsub', ch: textOf(frame, 'ch', MAX_NAME) }
    case 'sub':
      return {
        t: 'sub',
        id: idOf(frame),
        ch: textOf(frame, 'ch', MAX_NAME),
        after: positionOf(frame['after']),
        // Its shape is checked where it is compiled.
        filter: frame['filter'] as Filter | undefined,
      }
    case 'pub':
      if (frame['data'] === undefined) throw badFrame('A "pub" frame needs data.')
      return { t: 'pub', id: idOf(frame), ch: textOf(frame, 'ch', MAX_NAME), data: frame['data'] }
    default:
      throw badFrame('The type "t" of a frame is one of sub, unsub, pub, token and ping.')
  }
}

/**
 * Checks a position that came from outside: `'earliest'`, `'latest'`, or epoch and offset.
 *
 * @throws {@link HowdahError} PUBSUB_BAD_FRAME
 */
export function positionOf(after: unknown): string | undefined {
  if (after === undefined || after === 'earliest' || after === 'latest') return after
  if (typeof after === 'string' && /^\d{1,15}:\d{1,15}$/.test(after)) return after
  throw badFrame('"after" is "earliest", "latest" or a position that a gateway sent.')
}

/** The offset in a position: 42 in `'1:42'`. */
export function offsetOf(position: string): number {
  return Number(position.slice(position.indexOf(':') + 1))
}

function parseObject(text: string): Record<string, unknown> {
  let frame: unknown
  try {
    frame = JSON.parse(text)
  } catch (cause) {
    throw badFrame('A frame is a JSON object.', cause)
  }
  if (typeof frame !== 'object' || frame === null) throw badFrame('A frame is a JSON object.')
  return frame as Record<string, unknown>
}

function textOf(frame: Record<string, unknown>, field: string, max: number): string {
  const value = frame[field]
  const fits = typeof value === 'string' && value !== '' && value.length <= max
  if (fits && !/\p{Surrogate}/u.test(value)) return value
  throw badFrame(`"${field}" is well-formed text of 1 to ${max} characters.`)
}

function idOf(frame: Record<string, unknown>): number {
  const id = frame['id']
  if (Number.isSafeInteger(id)) return id as number
  throw badFrame('"id" is a whole number.')
}

function badFrame(message: string, cause?: unknown) {
  return pubSubError('PUBSUB_BAD_FRAME', message, cause)
}
