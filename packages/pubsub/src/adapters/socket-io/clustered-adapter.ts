import {
  type BroadcastOptions,
  ClusterAdapterWithHeartbeat,
  type ClusterMessage,
  type ClusterResponse,
  MessageType,
} from 'socket.io-adapter'
import type { Cluster, ClusteredAdapter } from './cluster.js'
import type { Frame } from './frame.js'

/** The longest time of a timer. The heartbeats of the base class are not used: ours are one for all namespaces of a process. */
const NEVER_MS = 2 ** 31 - 1

/** The part of Socket.IO's namespace that we read. */
export interface NamespaceLike {
  readonly name: string
}

/** The adapter of one namespace. */
export class HowdahAdapter extends ClusterAdapterWithHeartbeat implements ClusteredAdapter {
  readonly #leave: (adapter: HowdahAdapter) => Promise<void>
  protected readonly cluster: Cluster
  #closed = false
  readonly namespace: string

  constructor(
    nsp: NamespaceLike,
    cluster: Cluster,
    leave: (adapter: HowdahAdapter) => Promise<void>,
  ) {
    super(nsp, { heartbeatInterval: NEVER_MS, heartbeatTimeout: Number.POSITIVE_INFINITY })
    this.namespace = nsp.name
    this.cluster = cluster
    this.#leave = leave
  }

  get id(): string {
    return this.uid
  }

  override init(): void {
    this.cluster.add(this)
  }

  override async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    super.close()
    await this.#leave(this)
  }

  receive(message: ClusterMessage | ClusterResponse): void {
    // Answers are told apart by the base class.
    if (!this.#closed) this.onMessage(message as ClusterMessage)
  }

  // Nobody appends to the log but adapters that recover.
  receiveLogged(_frame: Frame, _position: string): void {}

  memberUp(uid: string): void {
    this.onMessage({ type: MessageType.HEARTBEAT, uid, nsp: this.namespace })
  }

  memberDown(uid: string): void {
    // Requests that wait for nobody but this one end with the answers there are.
    this.onMessage({ type: MessageType.ADAPTER_CLOSE, uid, nsp: this.namespace })
  }

  override async serverCount(): Promise<number> {
    await this.cluster.joined
    return await super.serverCount()
  }

  override async fetchSockets(options: BroadcastOptions): Promise<unknown[]> {
    if (options.flags?.local !== true) await this.cluster.joined
    return await super.fetchSockets(options)
  }

  override async serverSideEmit(packet: unknown[]): Promise<void> {
    if (typeof packet.at(-1) === 'function') await this.cluster.joined
    await super.serverSideEmit(packet)
  }

  // The base class would start a timer, also after close().
  override publish(message: Parameters<ClusterAdapterWithHeartbeat['publish']>[0]): void {
    if (!this.#closed) this.publishAndReturnOffset(message).catch(() => {})
  }

  protected override async doPublish(message: ClusterMessage): Promise<string> {
    try {
      const sent = this.cluster.send(message)
      if (wantsAnswers(message)) this.cluster.probe()
      await sent
    } catch (error) {
      // Not thrown: some versions of the base class then leave out the clients of this server.
      this.cluster.report(error)
    }
    return ''
  }

  protected override async doPublishResponse(
    requester: string,
    response: ClusterResponse,
  ): Promise<void> {
    if (this.#closed) return
    await this.cluster.send(response, requester).catch(this.cluster.report)
  }
}

function wantsAnswers(message: ClusterMessage): boolean {
  return 'data' in message && 'requestId' in message.data && message.data.requestId !== undefined
}
