/**
 * What one client may do and listens to.
 *
 * States of a subscription: asking (permission) -> opening (channel or stream) -> live -> closed. It stands in `#subscriptions` from the first
 * on, and whatever resolves later looks first whether it is still the one that stands there.
 *
 * Invariants
 * - One subscription a channel; a new one replaces it.
 * - Nothing is sent on a subscription before permission was given, and nothing after it was found to be withdrawn.
 * - Frames that come while a token is looked at wait for it.
 */
import { isHowdahError } from '@howdah/core'
import { pubSubError } from '../errors.js'
import { type ChannelFeeds, Listener } from './channel-feeds.js'
import type { Client } from './client.js'
import { bothFilters, compileFilter, type Filter, type Matches } from './filter.js'
import type { GatewayAction, Permission, ResolvedGatewayOptions } from './options.js'
import { isStream, type Source } from './sources.js'
import { StreamPump } from './stream-pump.js'

/** Longest time that a timer keeps. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

export interface SubscribeRequest {
  readonly id: number
  readonly ch: string
  readonly after?: string | undefined
  readonly filter?: Filter | undefined
}

/** What sessions of one gateway share. */
export interface SessionShared<Ctx extends object> {
  readonly options: ResolvedGatewayOptions<Ctx>
  readonly feeds: ChannelFeeds
  readonly onError: (error: unknown) => void
  /** Asks the client for a token before a permission ends; absent where there are none. */
  readonly asksForToken: boolean
}

interface Active {
  readonly request: SubscribeRequest
  /** What the client asked for; `live.matches` adds what the permission allows. */
  readonly wanted: Matches | undefined
  live: StreamPump | Listener | undefined
  stop: (() => void) | undefined
  timer: NodeJS.Timeout | undefined
  /** How often permission was asked for: of answers that overtake each other, the one to the last question counts. */
  asked: number
}

export class Session<Ctx extends object> {
  readonly #shared: SessionShared<Ctx>
  readonly #client: Client
  readonly #subscriptions = new Map<string, Active>()
  #closed = false
  context: Ctx

  constructor(shared: SessionShared<Ctx>, client: Client, context: Ctx) {
    this.#shared = shared
    this.#client = client
    this.context = context
  }

  get subscriptions(): number {
    return this.#subscriptions.size
  }

  /** Where the client is in a stream that it listens to. */
  positionOf(ch: string): string | undefined {
    const live = this.#subscriptions.get(ch)?.live
    return live instanceof StreamPump ? live.position : undefined
  }

  /** Whether the client listens to a channel of this name, which keeps nothing. */
  listensToChannel(ch: string): boolean {
    return this.#subscriptions.get(ch)?.live instanceof Listener
  }

  async subscribe(request: SubscribeRequest): Promise<void> {
    const { ch, id } = request
    this.unsubscribe(ch)
    const { maxSubscriptions } = this.#shared.options
    if (this.#closed) return
    if (this.#subscriptions.size >= maxSubscriptions) {
      const message = `A client may listen to ${maxSubscriptions} channels. Unsubscribe from one first.`
      return this.#tell(pubSubError('PUBSUB_TOO_MANY_SUBSCRIPTIONS', message), { ch, id })
    }
    let active: Active | undefined
    try {
      const wanted = request.filter === undefined ? undefined : compileFilter(request.filter)
      active = { request, wanted, live: undefined, stop: undefined, timer: undefined, asked: 0 }
      this.#subscriptions.set(ch, active)
      const permission = await this.#askLast(active)
      if (permission !== undefined) await this.#open(active, permission)
    } catch (error) {
      this.#end(active, error, { ch, id })
    }
  }

  unsubscribe(ch: string): void {
    const active = this.#subscriptions.get(ch)
    if (active === undefined) return
    this.#subscriptions.delete(ch)
    clearTimeout(active.timer)
    active.stop?.()
  }

  async publish(request: { id: number; ch: string; data: unknown }): Promise<void> {
    const { id, ch, data } = request
    try {
      await this.#ask(ch, 'publish')
      const source = this.#resolve(ch)
      if (!isStream(source)) await source.publish(data)
      else if (source.append !== undefined) await source.append(data)
      else throw forbidden(ch, 'publish')
      this.#client.send({ t: 'ok', id })
    } catch (error) {
      this.#tell(error, { id })
    }
  }

  /** Asks again for the permission of every subscription, or of one. */
  async recheck(only?: string): Promise<void> {
    const all = [...this.#subscriptions.values()]
    const chosen = all.filter(({ request }) => only === undefined || request.ch === only)
    await Promise.all(chosen.map((active) => this.#recheck(active)))
  }

  /** Ends subscriptions without asking. */
  revoke(chosen: (ch: string) => boolean): void {
    for (const [ch, active] of this.#subscriptions) {
      if (chosen(ch)) this.#end(active, forbidden(ch, 'subscribe'), { ch })
    }
  }

  /** Tells how far the client is in streams of which it is filtered past much. */
  tellProgress(): void {
    for (const { live } of this.#subscriptions.values()) {
      if (live instanceof StreamPump) live.tellProgress()
    }
  }

  close(): void {
    this.#closed = true
    for (const ch of [...this.#subscriptions.keys()]) this.unsubscribe(ch)
  }

  async #recheck(active: Active): Promise<void> {
    const { ch } = active.request
    try {
      const permission = await this.#askLast(active)
      if (permission === undefined) return
      // Who asked first, to open it, was overtaken and left it to us.
      if (active.live === undefined) return await this.#open(active, permission)
      active.live.matches = allowed(active, permission)
      this.#watch(active, permission)
    } catch (error) {
      this.#end(active, error, { ch })
    }
  }

  async #open(active: Active, permission: Permission): Promise<void> {
    const { ch, id, after } = active.request
    const client = this.#client
    const matches = allowed(active, permission)
    const source = this.#resolve(ch)
    this.#watch(active, permission)
    if (isStream(source)) {
      const { onError } = this.#shared
      const pump = new StreamPump({ client, source, ch, id, after, matches, onError })
      active.live = pump
      active.stop = () => pump.close()
      pump.run().catch((error) => this.#end(active, error, { ch, id }))
      return
    }
    const listener = new Listener(client, ch, matches)
    active.live = listener
    // Told by the feed before anything else is: a message must not come ahead of it.
    const remove = await this.#shared.feeds.add(source, listener, () => {
      if (this.#stands(active)) client.send({ t: 'subd', id, ch, state: 'live' })
    })
    if (this.#stands(active)) active.stop = remove
    else remove()
  }

  /** Asks whether to listen; `undefined` where somebody asked again meanwhile, or nobody listens any more. */
  async #askLast(active: Active): Promise<Permission | undefined> {
    const asked = ++active.asked
    const permission = await this.#ask(active.request.ch, 'subscribe')
    return active.asked === asked && this.#stands(active) ? permission : undefined
  }

  async #ask(ch: string, action: GatewayAction): Promise<Permission> {
    const answer = await this.#shared.options.authorize(this.context, ch, action)
    if (answer === true) return {}
    if (typeof answer !== 'object' || answer === null) throw forbidden(ch, action)
    const { until } = answer
    if (until !== undefined && !(Number(until) > Date.now())) throw forbidden(ch, action)
    return answer
  }

  #resolve(ch: string): Source {
    const source = this.#shared.options.resolve(ch, this.context)
    if (source !== undefined) return source
    throw pubSubError('PUBSUB_UNKNOWN_CHANNEL', 'There is no channel of this name.')
  }

  /** Asks again when the permission ends; a little before, for the token that would prolong it. */
  #watch(active: Active, { until }: Permission): void {
    clearTimeout(active.timer)
    active.timer = undefined
    if (until === undefined) return
    const left = Math.min(Number(until) - Date.now(), LONGEST_TIMER_MS)
    const { ch } = active.request
    const recheck = () => void this.recheck(ch)
    const early = Math.min(left / 2, 30_000)
    const arm = (ms: number, call: () => void) => {
      active.timer = setTimeout(call, Math.max(0, ms)).unref()
    }
    if (this.#shared.asksForToken) {
      arm(left - early, () => {
        this.#client.send({ t: 'token' })
        arm(early, recheck)
      })
    } else arm(left, recheck)
  }

  #stands(active: Active): boolean {
    return this.#subscriptions.get(active.request.ch) === active
  }

  /** Ends a subscription and says why. */
  #end(active: Active | undefined, error: unknown, about: { ch: string; id?: number }): void {
    if (active !== undefined) {
      if (!this.#stands(active)) return
      this.unsubscribe(about.ch)
    }
    this.#tell(error, about)
  }

  #tell(error: unknown, about: { ch?: string; id?: number }): void {
    if (this.#closed) return
    if (isHowdahError(error) && isForClients(error.code)) {
      this.#client.send({ t: 'error', code: error.code, message: error.message, ...about })
      return
    }
    // What went wrong inside is nothing for a client to read.
    this.#shared.onError(error)
    const message = 'The server could not do this now. Try again later.'
    this.#client.send({ t: 'error', code: 'PUBSUB_UNAVAILABLE', message, ...about })
  }
}

function allowed(active: Active, { filter }: Permission): Matches | undefined {
  return bothFilters(active.wanted, filter === undefined ? undefined : compileFilter(filter))
}

function forbidden(ch: string, action: GatewayAction) {
  return pubSubError('PUBSUB_FORBIDDEN', `You may not ${action} here: ${ch.slice(0, 100)}.`)
}

function isForClients(code: string): boolean {
  if (code === 'PUBSUB_CLOSED') return false
  return code.startsWith('PUBSUB_') || code === 'CORE_PAYLOAD_TOO_LARGE'
}
