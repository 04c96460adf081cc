import type { IncomingMessage } from 'node:http'
import { type Duration, parseDuration } from '@howdah/core'
import { pubSubError } from '../errors.js'
import type { Filter } from './filter.js'
import type { ChannelSource, Source } from './sources.js'
import type { Rate } from './token-bucket.js'

/** What a client asks to do. */
export type GatewayAction = 'subscribe' | 'publish'

/** What {@link GatewayOptions.authorize} may answer beside yes and no: yes, with limits. */
export interface Permission {
  /** When to ask again, in milliseconds since the epoch, such as the end of a token's life. */
  readonly until?: number | Date | undefined
  /** Which messages the client may see at all, whatever it asks for. */
  readonly filter?: Filter | undefined
}

/** Status codes that refuse a connection: who is it, and you may not. */
export type Refusal = 401 | 403

/** Options that both gateways have. */
export interface GatewayOptions<Ctx extends object> {
  /**
   * What a name means: a stream, a channel, or nothing. Names come from clients, so name what there is; the channel of a prefix that is only
   * for browsers is fine.
   */
  readonly resolve: (name: string, context: Ctx) => Source | undefined
  /** Who connects, from the request's cookies or headers; or the status that refuses it, before the upgrade. */
  readonly context: (request: IncomingMessage) => Ctx | Refusal | Promise<Ctx | Refusal>
  /** Whether a client may do something. An error refuses. Asked at each subscription and each publish. */
  readonly authorize: (
    context: Ctx,
    channel: string,
    action: GatewayAction,
  ) => boolean | Permission | Promise<boolean | Permission>
  /**
   * Pages of which origins may connect: a list such as `['https://app.example.com']`, `'same'` as the request's Host, or `'any'`. Requests
   * without an Origin do not come from a page and pass. Cookies go along with a WebSocket that a foreign page opens, and no CORS stands in between,
   * so `'any'` is only for gateways that take no cookies.
   *
   * @defaultValue `'same'`
   */
  readonly origins?: 'same' | 'any' | readonly string[] | undefined
  /** Asks for permissions again, in all processes, when a message comes in: for the clients that `matches` chooses, or all after a gap. */
  readonly recheckOn?: RecheckOn<Ctx> | undefined
  /** Clients at once; more are answered 503. @defaultValue `50000` */
  readonly maxClients?: number | undefined
  /** Clients at once with one key; more are answered 429. @defaultValue no limit */
  readonly maxClientsPerKey?:
    | { readonly key: (context: Ctx) => string; readonly max: number }
    | undefined
  /** Channels and streams that one client may listen to. @defaultValue `100` */
  readonly maxSubscriptions?: number | undefined
  /** Pause between signs of life. Who gives none for two of them is cut. @defaultValue `'25s'` */
  readonly heartbeat?: Duration | undefined
  /** Bytes of channel messages that may wait for one client; streams need no limit. @defaultValue 256 KiB */
  readonly maxBuffered?: number | undefined
  /**
   * What becomes of a client with more waiting: `'drop'` leaves out messages of channels and tells it with `gap`; `'close'` closes it.
   *
   * @defaultValue `'drop'`
   */
  readonly slowClients?: 'drop' | 'close' | undefined
}

/** A channel whose messages make permissions be asked for again. */
export interface RecheckOn<Ctx> {
  readonly channel: ChannelSource
  readonly matches: (context: Ctx, message: unknown) => boolean
}

/** Options of {@link WebSocketGateway}. */
export interface WebSocketGatewayOptions<Ctx extends object> extends GatewayOptions<Ctx> {
  /** Who a client is by the token that it sent over the open connection; the gateway then asks for all its permissions again. */
  readonly token?:
    | ((token: string, context: Ctx) => Ctx | Refusal | Promise<Ctx | Refusal>)
    | undefined
  /** Bytes of one frame from a client, at most. @defaultValue 64 KiB */
  readonly maxFrameBytes?: number | undefined
  /** Frames from one client. @defaultValue 100 at once, 50 a second */
  readonly frameRate?: Rate | undefined
  /** Messages that one client publishes; each counts as a frame, too. @defaultValue 20 at once, 10 a second */
  readonly publishRate?: Rate | undefined
  /**
   * Compresses messages of more bytes than `above` for clients that can (permessage-deflate), once for all of them. Each client that sends
   * compressed frames itself costs 15 kB more.
   *
   * @defaultValue nothing is compressed
   */
  readonly compress?: { readonly above: number } | undefined
}

/** Options of {@link SseGateway}. */
export type SseGatewayOptions<Ctx extends object> = GatewayOptions<Ctx>

/** {@link GatewayOptions} with every default filled in. */
export interface ResolvedGatewayOptions<Ctx extends object>
  extends Pick<GatewayOptions<Ctx>, 'resolve' | 'context' | 'authorize'> {
  readonly origins: 'same' | 'any' | readonly string[]
  readonly recheckOn: RecheckOn<Ctx> | undefined
  readonly maxClients: number
  readonly maxClientsPerKey: GatewayOptions<Ctx>['maxClientsPerKey']
  readonly maxSubscriptions: number
  /** In milliseconds. */
  readonly heartbeat: number
  readonly maxBuffered: number
  readonly slowClients: 'drop' | 'close'
}

/** {@link WebSocketGatewayOptions} with every default filled in. */
export interface ResolvedWebSocketOptions<Ctx extends object> {
  readonly token: WebSocketGatewayOptions<Ctx>['token']
  readonly maxFrameBytes: number
  readonly frameRate: Rate
  readonly publishRate: Rate
  readonly compressAbove: number | undefined
}

/** @throws {@link HowdahError} PUBSUB_INVALID_OPTION, CORE_INVALID_DURATION */
export function resolveGatewayOptions<Ctx extends object>(
  options: GatewayOptions<Ctx>,
): ResolvedGatewayOptions<Ctx> {
  const { resolve, context, authorize, recheckOn, maxClientsPerKey } = options
  assertFunction('resolve', resolve)
  assertFunction('context', context)
  assertFunction('authorize', authorize)
  if (recheckOn !== undefined) assertFunction('recheckOn.matches', recheckOn.matches)
  if (maxClientsPerKey !== undefined) {
    assertFunction('maxClientsPerKey.key', maxClientsPerKey.key)
    count('maxClientsPerKey.max', maxClientsPerKey.max)
  }
  const slowClients = options.slowClients ?? 'drop'
  if (slowClients !== 'drop' && slowClients !== 'close') {
    throw invalid("slowClients must be 'drop' or 'close'.")
  }
  return Object.freeze({
    resolve,
    context,
    authorize,
    recheckOn,
    maxClientsPerKey,
    slowClients,
    origins: origins(options.origins ?? 'same'),
    maxClients: count('maxClients', options.maxClients ?? 50_000),
    maxSubscriptions: count('maxSubscriptions', options.maxSubscriptions ?? 100),
    heartbeat: parseDuration(options.heartbeat ?? '25s', 'heartbeat', { min: 10, max: 3_600_000 }),
    maxBuffered: count('maxBuffered', options.maxBuffered ?? 256 * 1024),
  })
}

/** @throws {@link HowdahError} PUBSUB_INVALID_OPTION */
export function resolveWebSocketOptions<Ctx extends object>(
  options: WebSocketGatewayOptions<Ctx>,
): ResolvedWebSocketOptions<Ctx> {
  const { token, compress } = options
  if (token !== undefined) assertFunction('token', token)
  return Object.freeze({
    token,
    maxFrameBytes: count('maxFrameBytes', options.maxFrameBytes ?? 64 * 1024),
    frameRate: rate('frameRate', options.frameRate ?? { burst: 100, perSecond: 50 }),
    publishRate: rate('publishRate', options.publishRate ?? { burst: 20, perSecond: 10 }),
    compressAbove: compress === undefined ? undefined : count('compress.above', compress.above),
  })
}

function origins(value: 'same' | 'any' | readonly string[]) {
  if (value === 'same' || value === 'any') return value
  const list = Array.isArray(value) ? value : []
  const valid = list.every((one) => typeof one === 'string' && URL.canParse(one))
  if (list.length > 0 && valid) return Object.freeze(list.map((one) => new URL(one).origin))
  throw invalid("origins must be 'same', 'any' or a list such as ['https://app.example.com'].")
}

function rate(name: string, value: Rate): Rate {
  const { burst, perSecond } = value
  if (!(perSecond > 0 && Number.isFinite(perSecond))) {
    throw invalid(`${name}.perSecond must be a number above 0.`)
  }
  return Object.freeze({ burst: count(`${name}.burst`, burst), perSecond })
}

function count(name: string, value: number): number {
  if (Number.isSafeInteger(value) && value > 0) return value
  throw invalid(`${name} must be a positive whole number.`)
}

function assertFunction(name: string, value: unknown): void {
  if (typeof value !== 'function') throw invalid(`${name} must be a function.`)
}

function invalid(message: string) {
  return pubSubError('PUBSUB_INVALID_OPTION', message)
}
