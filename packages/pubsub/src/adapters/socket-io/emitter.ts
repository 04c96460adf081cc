import { randomBytes } from 'node:crypto'
import { type BroadcastFlags, type ClusterMessage, MessageType } from 'socket.io-adapter'
import type { PubSub } from '../../pub-sub.js'
import { type LogStream, MAX_LOGGED_LENGTH } from './broadcast-log.js'
import { encodeValue } from './codec.js'
import { EMITTER, encodeFrame } from './frame.js'
import { FrameChannel } from './frame-channel.js'
import { resolveSource, type SocketIoSource } from './options.js'

/** Number of an event among the packets of Socket.IO. */
const EVENT = 2

interface Target {
  readonly namespace: string
  readonly rooms: readonly string[]
  readonly except: readonly string[]
  readonly flags: BroadcastFlags
}

type Publish = (message: ClusterMessage) => Promise<void>

/**
 * Reaches the sockets of a namespace on all servers; made by {@link createEmitter}. `to()`, `except()`, `volatile` and the like answer
 * another one and leave this as it is. Every promise resolves once PostgreSQL has taken the message.
 */
export class SocketIoEmitter {
  readonly #publish: Publish
  readonly #target: Target

  /** @internal */
  constructor(publish: Publish, target: Target) {
    this.#publish = publish
    this.#target = target
  }

  /** Chooses the namespace, with no rooms. */
  of(namespace: string): SocketIoEmitter {
    const name = namespace.startsWith('/') ? namespace : `/${namespace}`
    return this.#with({ namespace: name, rooms: [], except: [], flags: {} })
  }

  /** Adds rooms; sockets in any of them are reached, each once. */
  to(room: string | readonly string[]): SocketIoEmitter {
    return this.#with({ rooms: this.#target.rooms.concat(room) })
  }

  /** Leaves out the sockets in these rooms. */
  except(room: string | readonly string[]): SocketIoEmitter {
    return this.#with({ except: this.#target.except.concat(room) })
  }

  /** Lets a client that is not ready miss it. */
  get volatile(): SocketIoEmitter {
    return this.#with({ flags: { ...this.#target.flags, volatile: true } })
  }

  /** Tells whether the servers may compress it. */
  compress(compress: boolean): SocketIoEmitter {
    return this.#with({ flags: { ...this.#target.flags, compress } })
  }

  /**
   * Emits an event to the clients.
   *
   * @throws whatever hinders PostgreSQL from taking it
   */
  async emit(event: string, ...args: readonly unknown[]): Promise<void> {
    const packet = { type: EVENT, data: [event, ...args], nsp: this.#target.namespace }
    await this.#send({ type: MessageType.BROADCAST, data: { packet, opts: this.#options() } })
  }

  /** Makes the sockets join rooms. */
  async socketsJoin(rooms: string | readonly string[]): Promise<void> {
    const data = { opts: this.#options(), rooms: [rooms].flat() as string[] }
    await this.#send({ type: MessageType.SOCKETS_JOIN, data })
  }

  /** Makes the sockets leave rooms. */
  async socketsLeave(rooms: string | readonly string[]): Promise<void> {
    const data = { opts: this.#options(), rooms: [rooms].flat() as string[] }
    await this.#send({ type: MessageType.SOCKETS_LEAVE, data })
  }

  /** Disconnects the sockets; with `close`, the connection that their namespaces share too. */
  async disconnectSockets(close = false): Promise<void> {
    const data = { opts: this.#options(), close }
    await this.#send({ type: MessageType.DISCONNECT_SOCKETS, data })
  }

  /** Emits an event on the namespace of every server, not to its clients. */
  async serverSideEmit(event: string, ...args: readonly unknown[]): Promise<void> {
    await this.#send({ type: MessageType.SERVER_SIDE_EMIT, data: { packet: [event, ...args] } })
  }

  async #send(message: Unaddressed): Promise<void> {
    await this.#publish({ ...message, uid: EMITTER, nsp: this.#target.namespace })
  }

  #options(): { rooms: string[]; except: string[]; flags: BroadcastFlags } {
    const { rooms, except, flags } = this.#target
    return { rooms: [...rooms], except: [...except], flags }
  }

  #with(change: Partial<Target>): SocketIoEmitter {
    return new SocketIoEmitter(this.#publish, { ...this.#target, ...change })
  }
}

/** Options of {@link createEmitter}. */
export interface EmitterOptions extends SocketIoSource {
  /** Whether the servers have `connectionStateRecovery`: broadcasts are then kept for clients that are away. @defaultValue `false` */
  readonly connectionStateRecovery?: boolean | undefined
}

type Unaddressed<M = ClusterMessage> = M extends unknown ? Omit<M, 'uid' | 'nsp'> : never

/**
 * Makes an emitter for a process that has no Socket.IO server, such as a worker, to reach the clients of those that have. It opens no
 * connection of its own.
 *
 * @throws {@link HowdahError} PUBSUB_INVALID_OPTION, CORE_INVALID_SOURCE
 *
 * @example
 * ```ts
 * import { createEmitter } from '@howdah/pubsub/socket.io'
 * import { Pool } from 'pg'
 *
 * const emitter = createEmitter({ pool: new Pool() })
 * await emitter.to('user:7').emit('paid', { invoice: 12 })
 * await emitter.of('/admin').emit('paid', { invoice: 12 })
 * ```
 */
export function createEmitter(options: EmitterOptions): SocketIoEmitter {
  const { connect, name } = resolveSource(options)
  const { pubsub } = connect()
  const channel = frames(pubsub, name)
  const stream: LogStream = pubsub.stream(name, { maxPayloadBytes: MAX_LOGGED_LENGTH })
  const publish: Publish = async (message) => {
    const body = encodeValue(message)
    const frame = { kind: 'message', namespace: message.nsp, from: EMITTER, body } as const
    if (options.connectionStateRecovery !== true || !isOrdered(message)) {
      return channel.send(frame)
    }
    const bytes = encodeFrame({ ...frame, server: channel.server })
    await stream.append(bytes.toString('base64'))
  }
  return new SocketIoEmitter(publish, { namespace: '/', rooms: [], except: [], flags: {} })
}

/** Whether servers with recovery send it through their log, too. */
function isOrdered(message: ClusterMessage): boolean {
  if (message.type === MessageType.SERVER_SIDE_EMIT) return false
  return message.type !== MessageType.BROADCAST || message.data.opts.flags.volatile !== true
}

function frames(pubsub: PubSub, name: string): FrameChannel {
  const nothing = (): void => {}
  const listener = { onFrame: nothing, onGap: nothing, onError: nothing }
  return new FrameChannel(
    pubsub.channel<Uint8Array>(name),
    randomBytes(12).toString('base64url'),
    listener,
  )
}
