/**
 * The adapter of a namespace whose server has `connectionStateRecovery`.
 *
 * A client that comes back takes these steps: its session is taken over; our reader reaches the client's offset; from here on, what the reader
 * acts on is held for the client too; what lies between the two is read and sent; the socket connects, and is sent what was held. So it gets
 * everything once and in order, however long Socket.IO's middlewares take in between.
 */
import {
  type BroadcastFlags,
  type BroadcastOptions,
  type ClusterMessage,
  MessageType,
  type Session,
} from 'socket.io-adapter'
import type { BroadcastLog } from './broadcast-log.js'
import type { Cluster } from './cluster.js'
import { HowdahAdapter, type NamespaceLike } from './clustered-adapter.js'
import { decodeValue, encodeValue } from './codec.js'
import { EMITTER, type Frame } from './frame.js'
import type { Sessions, StoredSession } from './sessions.js'

/** Number of an event among the packets of Socket.IO. */
const EVENT = 2
/** How long a client waits for this server to have seen what the client has. */
const REACH_MS = 2000
const OFFSET = /^\d{1,9}:\d{1,16}$/

interface Packet {
  readonly type: number
  readonly id?: number
  readonly data: unknown[]
}

/** A client that is coming back. */
interface Returning {
  readonly session: StoredSession
  /** What our reader acted on meanwhile and the client is to have. */
  readonly held: unknown[][]
}

/** The part of Socket.IO's socket that we use. */
interface SocketLike {
  readonly pid?: string
  readonly data: unknown
  packet(packet: { type: number; data: unknown[] }): void
}

export class RecoveringAdapter extends HowdahAdapter {
  readonly #log: BroadcastLog
  readonly #sessions: Sessions
  /** Sessions that are saved as open, by the id of the socket. */
  readonly #open = new Map<string, string>()
  readonly #returning = new Map<string, Returning>()

  constructor(
    nsp: NamespaceLike,
    cluster: Cluster,
    leave: (adapter: HowdahAdapter) => Promise<void>,
  ) {
    super(nsp, cluster, leave)
    const { maxDisconnectionDuration } = this.nsp.server.opts.connectionStateRecovery
    const { log, sessions } = cluster.recovery(maxDisconnectionDuration)
    this.#log = log
    this.#sessions = sessions
  }

  override receiveLogged(frame: Frame, position: string): void {
    const message = decodeValue(frame.body) as ClusterMessage
    if (message.type === MessageType.BROADCAST) this.#hold(message, position)
    // What is ours comes back like that of others.
    this.onMessage({ ...message, uid: EMITTER }, position)
  }

  override async broadcast(packet: unknown, options: BroadcastOptions): Promise<void> {
    const { flags } = options
    if (flags?.local === true || flags?.volatile === true) return super.broadcast(packet, options)
    await this.#append({ type: MessageType.BROADCAST, data: { packet, opts: encoded(options) } })
  }

  override async addSockets(options: BroadcastOptions, rooms: string[]): Promise<void> {
    if (options.flags?.local === true) return super.addSockets(options, rooms)
    await this.#append({ type: MessageType.SOCKETS_JOIN, data: { opts: encoded(options), rooms } })
  }

  override async delSockets(options: BroadcastOptions, rooms: string[]): Promise<void> {
    if (options.flags?.local === true) return super.delSockets(options, rooms)
    await this.#append({ type: MessageType.SOCKETS_LEAVE, data: { opts: encoded(options), rooms } })
  }

  override async disconnectSockets(options: BroadcastOptions, close: boolean): Promise<void> {
    if (options.flags?.local === true) return super.disconnectSockets(options, close)
    const data = { opts: encoded(options), close }
    await this.#append({ type: MessageType.DISCONNECT_SOCKETS, data })
  }

  override addAll(id: string, rooms: Set<string>): void {
    void super.addAll(id, rooms)
    const socket = this.#socket(id)
    if (socket?.pid === undefined) return
    this.#open.set(id, socket.pid)
    this.#save(id, socket.pid, socket)
    const returning = this.#returning.get(id)
    if (returning === undefined) return
    this.#returning.delete(id)
    // Before CONNECT is sent: the client keeps them until then, as it does with those it missed.
    for (const data of returning.held) socket.packet({ type: EVENT, data })
  }

  override del(id: string, room: string): void {
    void super.del(id, room)
    const socket = this.#socket(id)
    const pid = this.#open.get(id)
    if (socket !== undefined && pid !== undefined) this.#save(id, pid, socket)
  }

  override delAll(id: string): void {
    super.delAll(id)
    const pid = this.#open.get(id)
    this.#open.delete(id)
    const returning = this.#returning.get(id)
    this.#returning.delete(id)
    // Its connection ended before it was back, so it may come again; one that was connected has left for good.
    if (returning !== undefined) this.#sessions.save(this.namespace, returning.session, true)
    else if (pid !== undefined) this.#sessions.drop(this.namespace, pid)
  }

  override persistSession(session: StoredSession): void {
    this.#open.delete(session.sid)
    this.#guard(() => this.#sessions.save(this.namespace, session, true))
  }

  // Socket.IO takes null for a session that cannot be restored; its type does not say so.
  override async restoreSession(pid: string, offset: string): Promise<Session> {
    return (await this.#restore(pid, offset).catch(this.cluster.report)) ?? (null as never)
  }

  async #restore(pid: string, offset: string): Promise<Session | undefined> {
    if (!OFFSET.test(offset)) return undefined
    const session = await this.#sessions.take(this.namespace, pid)
    if (session === undefined) return undefined
    const returning: Returning = { session, held: [] }
    const reached = await this.#log.reached(offset, REACH_MS)
    // No await between the two, so that what follows is either read or held.
    const end = this.#log.position
    this.#returning.set(session.sid, returning)
    try {
      const missed =
        reached && end !== undefined ? await this.#missed(session, offset, end) : undefined
      if (missed !== undefined) return { ...session, missedPackets: missed }
    } catch (error) {
      this.cluster.report(error)
    }
    this.#returning.delete(session.sid)
    this.#sessions.drop(this.namespace, pid)
    return undefined
  }

  async #missed(
    { rooms }: StoredSession,
    after: string,
    end: string,
  ): Promise<unknown[][] | undefined> {
    const logged = await this.#log.between(after, end)
    return logged?.flatMap(({ frame, position }) => {
      if (frame.namespace !== this.namespace) return []
      const data = recoverable(decodeValue(frame.body) as ClusterMessage, rooms, position)
      return data === undefined ? [] : [data]
    })
  }

  #hold(message: ClusterMessage, position: string): void {
    for (const { session, held } of this.#returning.values()) {
      const data = recoverable(message, session.rooms, position)
      if (data !== undefined) held.push(data)
    }
  }

  async #append(message: Unaddressed): Promise<void> {
    try {
      const addressed = { ...message, uid: this.uid, nsp: this.namespace }
      const body = encodeValue(addressed)
      await this.#log.append({ kind: 'message', namespace: this.namespace, from: this.uid, body })
    } catch (error) {
      // Socket.IO does not wait for an answer.
      this.cluster.report(error)
    }
  }

  #save(sid: string, pid: string, { data }: SocketLike): void {
    const rooms = [...(this.socketRooms(sid) ?? [])]
    this.#guard(() => this.#sessions.save(this.namespace, { sid, pid, rooms, data }, false))
  }

  #guard(save: () => void): void {
    try {
      save()
    } catch (error) {
      // The application's data may have no JSON form.
      this.cluster.report(error)
    }
  }

  #socket(id: string): SocketLike | undefined {
    return (this.nsp.sockets as ReadonlyMap<string, SocketLike>).get(id)
  }
}

type Unaddressed<M = ClusterMessage> = M extends unknown ? Omit<M, 'uid' | 'nsp'> : never

interface EncodedOptions {
  readonly rooms: string[]
  readonly except: string[]
  readonly flags: BroadcastFlags
}

function encoded({ rooms, except = new Set(), flags = {} }: BroadcastOptions): EncodedOptions {
  return { rooms: [...rooms], except: [...except], flags }
}

/** The arguments of an event with its offset, where a socket in these rooms was to have it. */
function recoverable(
  message: ClusterMessage,
  rooms: readonly string[],
  position: string,
): unknown[] | undefined {
  if (message.type !== MessageType.BROADCAST || message.data.requestId !== undefined) return
  const { packet, opts } = message.data
  const { type, id, data } = packet as Packet
  // Nobody waits any more for the answer to a packet with an id.
  if (type !== EVENT || id !== undefined) return
  const meant = opts.rooms.length === 0 || rooms.some((room) => opts.rooms.includes(room))
  if (!meant || rooms.some((room) => opts.except.includes(room))) return
  return [...data, position]
}
