/**
 * Events of one queue, heard in this process.
 *
 * States: quiet (nobody listens here: nothing is registered, no row) -> listening -> quiet. Invariants
 * - While somebody listens, a row of `queue_watch` says so, renewed well before it runs out; workers learn of it with their next claim.
 * - Events may be lost while the connection is. `onGap` is called then.
 */
import { randomUUID } from 'node:crypto'
import { type Database, Emitter, Loop } from '@howdah/core'
import { EVENT_KIND, type JobEvent } from '../events.js'
import { unwatchQueue, watchQueue } from '../sql/results.js'

/** Events of a queue, from all processes; see {@link Queue.on}. */
export interface QueueEvents {
  /** A job completed. */
  readonly completed: readonly [event: { readonly id: string }]
  /** An attempt failed; `dead` tells whether it was the last. */
  readonly failed: readonly [
    event: { readonly id: string; readonly error: string; readonly dead: boolean },
  ]
  /** A running job told how far it is. */
  readonly progress: readonly [event: { readonly id: string; readonly value: unknown }]
  /** A job was discarded, cancelled while it ran, handed back or is to run later; `outcome` tells which. */
  readonly ended: readonly [event: { readonly id: string; readonly outcome: string }]
}

interface Heard extends QueueEvents {
  readonly any: readonly [id: string]
  readonly gap: readonly []
}

const WATCHED_FOR_MS = 60_000
const RENEW_EVERY_MS = 20_000

/** Listens while anybody does. */
export class EventStream {
  readonly #db: Database
  readonly #open: () => Promise<number>
  readonly #id = randomUUID()
  readonly #emitter = new Emitter<Heard>()
  readonly #renewal: Loop
  #listeners = 0
  #registered: Promise<() => Promise<void>> | undefined
  #closing: Promise<void> = Promise.resolve()

  constructor(db: Database, open: () => Promise<number>) {
    this.#db = db
    this.#open = open
    this.#renewal = new Loop({ interval: RENEW_EVERY_MS, run: () => this.#renew() })
  }

  /** Calls back on each event. Resolves once events are asked for; answers the function that ends it. */
  async on<Name extends keyof Heard & string>(
    name: Name,
    listener: (...args: Heard[Name]) => void,
  ): Promise<() => Promise<void>> {
    const off = this.#emitter.on(name, listener)
    this.#listeners++
    let ended = false
    const end = async () => {
      if (ended) return
      ended = true
      off()
      if (--this.#listeners === 0) await this.#quieten()
    }
    try {
      await this.#listen()
    } catch (error) {
      await end()
      throw error
    }
    return end
  }

  async #listen(): Promise<void> {
    await this.#closing
    this.#registered ??= this.#register()
    try {
      await this.#registered
    } catch (error) {
      this.#registered = undefined
      throw error
    }
  }

  async #register(): Promise<() => Promise<void>> {
    const queue = String(await this.#open())
    const unregister = await this.#db.hub.register(EVENT_KIND, {
      onMessage: (name, events) => {
        if (name !== queue || !Array.isArray(events)) return
        for (const event of events) this.#heard(event as JobEvent)
      },
      onGap: () => this.#emitter.emit('gap'),
    })
    try {
      await this.#renew()
    } catch (error) {
      await unregister()
      throw error
    }
    this.#renewal.start()
    return unregister
  }

  async #renew(): Promise<undefined> {
    const queue = await this.#open()
    await this.#db.query(watchQueue(this.#db.schema, this.#id, queue, WATCHED_FOR_MS))
  }

  #heard(event: JobEvent): void {
    const [kind, id] = event
    if (kind === 'completed') this.#emitter.emit('completed', { id })
    else if (kind === 'failed') this.#emitter.emit('failed', { id, ...event[2] })
    else if (kind === 'progress') this.#emitter.emit('progress', { id, value: event[2] })
    else this.#emitter.emit('ended', { id, outcome: event[2] })
    if (kind !== 'progress') this.#emitter.emit('any', id)
  }

  #quieten(): Promise<void> {
    const registered = this.#registered
    this.#registered = undefined
    this.#closing = (async () => {
      await this.#renewal.stop()
      const unregister = await registered?.catch(() => undefined)
      // It may have been started meanwhile.
      await this.#renewal.stop()
      await unregister?.()
      // What cannot be said now runs out by itself.
      await this.#db.query(unwatchQueue(this.#db.schema, this.#id)).catch(() => {})
    })()
    return this.#closing
  }
}
