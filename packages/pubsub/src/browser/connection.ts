/**
 * The client of a gateway: one WebSocket, opened again whenever it is lost, and the subscriptions that live longer than it.
 *
 * States: connecting -> open -> (lost) -> waiting -> connecting; closed from any of them, for good. Invariants
 * - A socket that was given up is heard no more, so two never serve one connection.
 * - Silence for `heartbeat` is questioned with a ping, and a ping without an answer ends the socket: one that is half open says nothing.
 * - Waits are drawn evenly from zero to an end that doubles, so that clients that lost one server do not come back together.
 */
import type { Filter } from '../gateway/filter.js'
import type { ClientFrame, ServerFrame } from '../gateway/protocol.js'
import type { BrowserSocket, BrowserSocketClass } from './socket.js'
import { BrowserSubscription, type MessageFrame, type SubscribeHandlers } from './subscription.js'

export type ConnectionState = 'connecting' | 'open' | 'waiting' | 'closed'

/** Options of {@link connect}. */
export interface ConnectOptions {
  /** Returns a token that says who the client is; asked at each connection, and when the gateway wants a fresh one. */
  readonly token?: (() => string | Promise<string>) | undefined
  /** @defaultValue the global `WebSocket` */
  readonly WebSocket?: BrowserSocketClass | undefined
  /** Silence, in milliseconds, after which the server is asked whether it lives. @defaultValue `25000` */
  readonly heartbeat?: number | undefined
  /** Time for a socket to open and for the answer to a ping, in milliseconds. @defaultValue `10000` */
  readonly patience?: number | undefined
  /** Longest wait before another try to connect, in milliseconds. @defaultValue `20000` */
  readonly maxDelay?: number | undefined
  /** Called at every change of the state. With `'closed'` comes the code of an error where the server wants no further try. */
  readonly onState?: ((state: ConnectionState, code?: string) => void) | undefined
}

/** What a failure of the client has as its `code`; errors of the gateway have the code that it sent. */
export type ClientError = Error & { readonly code: string }

const FIRST_DELAY = 250
/** The close code after which another try would be answered the same. */
const MALFORMED = 4400

interface Page {
  readonly document?: Listenable & { readonly visibilityState: string }
  readonly WebSocket?: BrowserSocketClass
  addEventListener?: Listenable['addEventListener']
  removeEventListener?: Listenable['removeEventListener']
}
interface Listenable {
  addEventListener(type: string, listener: () => void): void
  removeEventListener(type: string, listener: () => void): void
}

const page: Page = globalThis as never

/** A connection to a gateway, made by {@link connect}. */
export class Connection {
  readonly #url: string
  readonly #options: ConnectOptions
  readonly #subscriptions = new Map<string, BrowserSubscription>()
  readonly #publishing = new Map<
    number,
    { resolve: () => void; reject: (error: ClientError) => void }
  >()
  #state: ConnectionState = 'waiting'
  #socket: BrowserSocket | undefined
  #timer: ReturnType<typeof setTimeout> | undefined
  #goingTimer: ReturnType<typeof setTimeout> | undefined
  #failures = 0
  #ids = 0

  /** @internal */
  constructor(url: string, options: ConnectOptions) {
    this.#url = url
    this.#options = options
  }

  /** @internal */
  start(): void {
    page.addEventListener?.('online', this.#wake)
    page.document?.addEventListener('visibilitychange', this.#wake)
    this.#connect()
  }

  get state(): ConnectionState {
    return this.#state
  }

  /**
   * Listens to a channel or stream, across lost connections. One subscription a channel.
   *
   * @throws Error when the channel is subscribed already, or the connection closed
   */
  subscribe<T = unknown>(
    channel: string,
    options: SubscribeHandlers<T> & { readonly filter?: Filter | undefined },
  ): BrowserSubscription {
    if (this.#state === 'closed' || this.#subscriptions.has(channel)) {
      throw failure('PUBSUB_INVALID_OPTION', `Closed, or subscribed already: ${channel}`)
    }
    const subscription = new BrowserSubscription(
      channel,
      options as SubscribeHandlers<never>,
      (frame) => this.#send(frame),
      () => ++this.#ids,
      () => {
        this.#subscriptions.delete(channel)
        this.#send({ t: 'unsub', ch: channel })
      },
    )
    this.#subscriptions.set(channel, subscription)
    if (this.#state === 'open') subscription.ask()
    return subscription
  }

  /**
   * Publishes. Resolves once the server has taken the message.
   *
   * @throws Error PUBSUB_DISCONNECTED when there is no connection, or it was lost before the answer; other codes come from the gateway
   */
  publish(channel: string, data: unknown): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#state !== 'open') return reject(failure('PUBSUB_DISCONNECTED', 'Not connected.'))
      const id = ++this.#ids
      this.#publishing.set(id, { resolve, reject })
      this.#send({ t: 'pub', id, ch: channel, data })
    })
  }

  /** Ends the connection and all its subscriptions, for good. */
  close(): void {
    this.#end()
  }

  #end(code?: string): void {
    if (this.#state === 'closed') return
    this.#drop()
    clearTimeout(this.#timer)
    page.removeEventListener?.('online', this.#wake)
    page.document?.removeEventListener('visibilitychange', this.#wake)
    this.#subscriptions.clear()
    this.#become('closed', code)
  }

  #connect(): void {
    this.#drop()
    const Socket = this.#options.WebSocket ?? page.WebSocket
    if (Socket === undefined) throw failure('PUBSUB_INVALID_OPTION', 'There is no WebSocket here.')
    this.#become('connecting')
    this.#after(this.#options.patience ?? 10_000, () => this.#retry())
    const socket = new Socket(this.#url)
    this.#socket = socket
    socket.onopen = () => void this.#open(socket)
    socket.onmessage = (event: { data: unknown }) => this.#receive(String(event.data))
    socket.onclose = ({ code }: { code: number }) => {
      // A gateway that closed on purpose would do so again soon.
      if (code >= 4000) this.#failures = Math.max(this.#failures, 5)
      if (code === MALFORMED) this.#end('PUBSUB_BAD_FRAME')
      else this.#retry()
    }
    socket.onerror = () => {}
  }

  async #open(socket: BrowserSocket): Promise<void> {
    if (this.#options.token !== undefined) await this.#sendToken(socket)
    if (this.#socket !== socket) return
    this.#become('open')
    this.#listen()
    for (const subscription of this.#subscriptions.values()) subscription.ask()
  }

  async #sendToken(socket: BrowserSocket): Promise<void> {
    try {
      const token = (await this.#options.token?.()) ?? ''
      if (this.#socket === socket) socket.send(JSON.stringify({ t: 'token', token }))
    } catch {
      if (this.#socket === socket) this.#retry()
    }
  }

  #receive(text: string): void {
    this.#failures = 0
    if (this.#state === 'open') this.#listen()
    const frame = JSON.parse(text) as ServerFrame | MessageFrame
    switch (frame.t) {
      case 'ok':
        this.#publishing.get(frame.id)?.resolve()
        this.#publishing.delete(frame.id)
        break
      case 'token':
        if (this.#socket !== undefined) void this.#sendToken(this.#socket)
        break
      case 'going':
        this.#goingTimer = setTimeout(() => this.#connect(), frame.in)
        break
      case 'error': {
        const publishing = this.#publishing.get(frame.id ?? Number.NaN)
        publishing?.reject(failure(frame.code, frame.message))
        this.#publishing.delete(frame.id ?? Number.NaN)
        this.#subscriptions.get(frame.ch ?? '')?.fail(frame)
        break
      }
      case 'pong':
        break
      default:
        this.#subscriptions.get(frame.ch)?.receive(frame)
    }
  }

  /** Waits for the next sign of life. */
  #listen(): void {
    this.#after(this.#options.heartbeat ?? 25_000, () => this.#ping())
  }

  #ping(): void {
    this.#send({ t: 'ping' })
    this.#after(this.#options.patience ?? 10_000, () => this.#retry())
  }

  /** The page is seen again, or the network is back: timers may have slept, so look at once. */
  readonly #wake = (): void => {
    if (page.document?.visibilityState === 'hidden') return
    if (this.#state === 'waiting') this.#connect()
    else if (this.#state === 'open') this.#ping()
  }

  #retry(): void {
    this.#drop()
    this.#become('waiting')
    const end = Math.min(this.#options.maxDelay ?? 20_000, FIRST_DELAY * 2 ** this.#failures++)
    this.#after(Math.random() * end, () => this.#connect())
  }

  #drop(): void {
    clearTimeout(this.#goingTimer)
    const socket = this.#socket
    this.#socket = undefined
    if (socket !== undefined) {
      socket.onopen = socket.onmessage = socket.onclose = null
      // A socket that is still connecting, or half open, closes when it can.
      socket.close()
    }
    for (const { reject } of this.#publishing.values()) {
      reject(failure('PUBSUB_DISCONNECTED', 'The connection was lost before the answer.'))
    }
    this.#publishing.clear()
    for (const subscription of this.#subscriptions.values()) subscription.lost()
  }

  #send(frame: ClientFrame): void {
    if (this.#state === 'open') this.#socket?.send(JSON.stringify(frame))
  }

  #after(ms: number, call: () => void): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(call, ms)
  }

  #become(state: ConnectionState, code?: string): void {
    if (this.#state === state) return
    this.#state = state
    this.#options.onState?.(state, code)
  }
}

function failure(code: string, message: string): ClientError {
  return Object.assign(new Error(message), { code })
}
