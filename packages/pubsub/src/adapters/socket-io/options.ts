import { type DatabaseSource, type Duration, parseDuration } from '@howdah/core'
import { pubSubError } from '../../errors.js'
import { resolveName } from '../../options.js'
import { PubSub } from '../../pub-sub.js'

/** Where the servers meet: a pool, or a PubSub that the application has already. */
export interface SocketIoSource {
  /** The application's pool, a PGlite, or a Howdah Database. We never end it. */
  readonly pool?: DatabaseSource | undefined
  /** A PubSub to share, in place of `pool`. We never close it. */
  readonly pubsub?: PubSub | undefined
  /** Servers with the same name form one cluster. @defaultValue `'socket.io'` */
  readonly name?: string | undefined
}

/** Options of {@link createAdapter}. */
export interface AdapterOptions extends SocketIoSource {
  /** How often a server says that it is there, once for all its namespaces. @defaultValue `'5s'` */
  readonly heartbeatInterval?: Duration | undefined
  /** Silence after which a server counts as gone. A request that it leaves unanswered finds that out in 2 seconds. @defaultValue `'10s'` */
  readonly heartbeatTimeout?: Duration | undefined
  /** Called with what fails in the background, such as a broadcast that could not be sent. Nothing else tells of it. */
  readonly onError?: ((error: unknown) => void) | undefined
}

type Connect = () => { readonly pubsub: PubSub; readonly owned: boolean }

/** Options with their defaults. */
export interface ResolvedAdapterOptions {
  /** Answers a PubSub, and whether it is ours to close. */
  readonly connect: Connect
  readonly name: string
  readonly heartbeatInterval: number
  readonly heartbeatTimeout: number
  readonly onError: (error: unknown) => void
}

/** @throws {@link HowdahError} PUBSUB_INVALID_OPTION, CORE_INVALID_DURATION, CORE_INVALID_SOURCE */
export function resolveAdapterOptions(options: AdapterOptions): ResolvedAdapterOptions {
  const { heartbeatInterval = '5s', heartbeatTimeout = '10s', onError = () => {} } = options
  const interval = parseDuration(heartbeatInterval, 'heartbeatInterval', { min: 1000 })
  const timeout = parseDuration(heartbeatTimeout, 'heartbeatTimeout', { min: interval + 1000 })
  if (typeof onError !== 'function') {
    throw pubSubError('PUBSUB_INVALID_OPTION', 'onError must be a function of an error.')
  }
  return Object.freeze({
    ...resolveSource(options),
    heartbeatInterval: interval,
    heartbeatTimeout: timeout,
    onError,
  })
}

/** @throws {@link HowdahError} PUBSUB_INVALID_OPTION, CORE_INVALID_SOURCE */
export function resolveSource({ pool, pubsub, name = 'socket.io' }: SocketIoSource): {
  readonly connect: Connect
  readonly name: string
} {
  resolveName(name)
  if (pool !== undefined && pubsub === undefined) {
    const connect = () => ({ pubsub: new PubSub({ pool }), owned: true })
    // Costs nothing, and finds a bad pool now.
    connect()
    return { connect, name }
  }
  if (pool === undefined && pubsub !== undefined) {
    return { connect: () => ({ pubsub, owned: false }), name }
  }
  throw pubSubError('PUBSUB_INVALID_OPTION', 'Pass either a pool or a pubsub.')
}
