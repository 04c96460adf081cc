/**
 * Brings channels to clients.
 *
 * Invariants
 * - The process listens to a channel once, however many clients do, from the first of them to the last.
 * - A message is encoded once for each transport, and only if somebody gets it.
 * - A client with more than its budget waiting is left out (`'drop'`) and told how many messages it missed before the next one, or it is closed.
 */
import type { Client } from './client.js'
import type { Matches } from './filter.js'
import type { FrameEncoder } from './frame-encoder.js'
import type { ChannelSource } from './sources.js'

/** One client's place on a channel. */
export class Listener {
  readonly client: Client
  readonly ch: string
  matches: Matches | undefined
  #missed = 0

  constructor(client: Client, ch: string, matches: Matches | undefined) {
    this.client = client
    this.ch = ch
    this.matches = matches
  }

  /** Leaves a message out; the client is told as soon as it reads again. */
  miss(): void {
    if (this.#missed++ > 0) return
    void this.client.outgoing.drained().then(() => this.tellMissed())
  }

  tellMissed(): void {
    if (this.#missed === 0) return
    this.client.send({ t: 'gap', ch: this.ch, missed: this.#missed })
    this.#missed = 0
  }
}

interface Feed {
  /** Clients that listen, or wait for the feed to be ready. */
  users: number
  readonly listeners: Set<Listener>
  readonly ready: Promise<{ close(): Promise<void> }>
}

export interface ChannelFeedsOptions {
  readonly maxBuffered: number
  readonly slowClients: 'drop' | 'close'
  readonly onDropped: () => void
  readonly onError: (error: unknown) => void
}

export class ChannelFeeds {
  readonly #options: ChannelFeedsOptions
  readonly #feeds = new Map<string, Feed>()

  constructor(options: ChannelFeedsOptions) {
    this.#options = options
  }

  /**
   * Adds a listener and resolves with the function that removes it. `onReady` is called at the moment from which on nothing is missed, before the
   * first message.
   */
  async add(source: ChannelSource, listener: Listener, onReady: () => void): Promise<() => void> {
    // The same channel may have several names for clients.
    const key = JSON.stringify([source.name, listener.ch])
    const feed = this.#feeds.get(key) ?? this.#open(key, source, listener.ch)
    feed.users++
    try {
      await feed.ready
    } catch (error) {
      this.#leave(key, feed)
      throw error
    }
    feed.listeners.add(listener)
    onReady()
    return () => {
      if (feed.listeners.delete(listener)) this.#leave(key, feed)
    }
  }

  #open(key: string, source: ChannelSource, ch: string): Feed {
    const listeners = new Set<Listener>()
    const ready = source.subscribe((message) => this.#spread(listeners, ch, message), {
      onGap: () => {
        for (const { client } of listeners) client.send({ t: 'gap', ch })
      },
    })
    const feed = { users: 0, listeners, ready }
    this.#feeds.set(key, feed)
    return feed
  }

  #leave(key: string, feed: Feed): void {
    if (--feed.users > 0) return
    if (this.#feeds.get(key) === feed) this.#feeds.delete(key)
    // A feed that failed to open told those who waited for it.
    feed.ready
      .then((subscription) => subscription.close().catch(this.#options.onError))
      .catch(() => {})
  }

  #spread(listeners: Set<Listener>, ch: string, message: unknown): void {
    const frames = new Map<FrameEncoder, Uint8Array>()
    for (const listener of listeners) {
      const { client, matches } = listener
      if (matches !== undefined && !matches(message)) continue
      let frame = frames.get(client.encoder)
      if (frame === undefined) {
        frame = client.encoder.channelMessage(ch, message)
        frames.set(client.encoder, frame)
      }
      this.#give(listener, frame)
    }
  }

  #give(listener: Listener, frame: Uint8Array): void {
    const { client } = listener
    const { maxBuffered, slowClients, onDropped } = this.#options
    const { outgoing } = client
    // One frame always fits, however large: else its client would never hear of it.
    if (outgoing.slow && outgoing.buffered + frame.length > maxBuffered) {
      if (slowClients === 'close') client.closeSlow()
      else {
        onDropped()
        listener.miss()
      }
    } else {
      listener.tellMissed()
      client.sendMessage(frame)
    }
  }
}
