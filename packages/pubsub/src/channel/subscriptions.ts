/**
 * What the process hears for one PubSub, over the one hub.
 *
 * Invariants
 * - The hub is asked once, when the first subscription comes, and let go when the last has gone.
 * - A subscription that has resolved misses nothing published later, or its `onGap` is called before what comes after.
 * - Messages of a channel are handed on in the order in which they came: while a spilled one is fetched, later ones of its channel are held, and those
 *   of other channels are not. One that cannot be fetched, or too many that are held, are a gap.
 * - A listener that throws takes no message from another.
 */
import type { Database } from '@howdah/core'
import { BYTES_FORM, HUB_KIND, JSON_FORM, SPILLED_FORM } from './form.js'
import type { Glob } from './glob.js'
import { type Entry, type Listener, Listeners, type Target } from './listeners.js'
import type { Spill } from './spill.js'

const HELD_MESSAGES = 10_000

/** A message as it came. */
interface Arrival {
  readonly wireName: string
  readonly payload: unknown
}

/** Messages of a channel behind one that is being fetched. */
interface Held {
  readonly arrivals: Arrival[]
  overflowed: boolean
}

export class Subscriptions {
  readonly #db: Database
  readonly #spill: Spill
  readonly #onError: (error: unknown) => void
  readonly #listeners = new Listeners()
  readonly #held = new Map<string, Held>()
  readonly #fetching = new Set<Promise<void>>()
  #registration: Promise<() => unknown> | undefined

  constructor(db: Database, spill: Spill, onError: (error: unknown) => void) {
    this.#db = db
    this.#spill = spill
    this.#onError = onError
  }

  /** Adds a listener to a channel or a pattern; resolves once it is sure to hear what is published from then on. */
  async add(what: string | Glob, listener: Listener): Promise<() => Promise<void>> {
    const remove = this.#listeners.add(what, listener)
    const registration = this.#register()
    try {
      await registration
    } catch (error) {
      if (this.#registration === registration) this.#registration = undefined
      remove()
      throw error
    }
    return async () => {
      remove()
      if (this.#listeners.size === 0) await this.#unregister()
    }
  }

  /** Drops every listener and lets the hub go. */
  async close(): Promise<void> {
    this.#listeners.clear()
    await this.#unregister()
  }

  #register(): Promise<() => unknown> {
    this.#registration ??= this.#spill.open().then(() =>
      this.#db.hub.register(HUB_KIND, {
        onMessage: (wireName, payload) => this.#receive(wireName, payload),
        onGap: () => this.#tellGap(),
      }),
    )
    return this.#registration
  }

  async #unregister(): Promise<void> {
    const registration = this.#registration
    this.#registration = undefined
    const unregister = await registration?.catch(() => undefined)
    await unregister?.()
  }

  #receive(wireName: string, payload: unknown): void {
    const target = this.#listeners.target(wireName)
    if (target.entries.length === 0) return
    const held = this.#held.size === 0 ? undefined : this.#held.get(target.name)
    if (held !== undefined) {
      hold(held, { wireName, payload })
    } else if (target.form === SPILLED_FORM) {
      const fetching = this.#fetch(target.name, { wireName, payload })
      this.#fetching.add(fetching)
      void fetching.then(() => this.#fetching.delete(fetching))
    } else {
      this.#hand(target, payload)
    }
  }

  /** Waits for what came before the connection was lost, so that the gap is told behind it. The hub holds what comes meanwhile. */
  async #tellGap(): Promise<void> {
    await Promise.all(this.#fetching)
    for (const entry of this.#listeners.entries()) this.#call(entry, () => entry.listener.onGap())
  }

  /** Fetches a spilled message, and goes on with what was held behind it; never fails. */
  async #fetch(name: string, first: Arrival): Promise<void> {
    const held: Held = { arrivals: [first], overflowed: false }
    this.#held.set(name, held)
    for (let next = held.arrivals.shift(); next !== undefined; next = held.arrivals.shift()) {
      const { wireName, payload } = next
      if (this.#listeners.target(wireName).form !== SPILLED_FORM) {
        this.#hand(this.#listeners.target(wireName), payload)
        continue
      }
      const message = await this.#read(payload)
      // Looked up again: listeners may have come and gone meanwhile.
      const target = this.#listeners.target(wireName)
      if (message === undefined) this.#handGap(target)
      else this.#handOn(target, message.value)
    }
    this.#held.delete(name)
    if (held.overflowed) this.#handGap(this.#listeners.target(JSON_FORM + name))
  }

  async #read(id: unknown): Promise<{ readonly value: unknown } | undefined> {
    try {
      const row = await this.#spill.fetch(String(id))
      if (row === undefined) return undefined
      return { value: row.json === null ? row.bytes : JSON.parse(row.json) }
    } catch (error) {
      this.#onError(error)
      return undefined
    }
  }

  #hand(target: Target, payload: unknown): void {
    if (target.form === JSON_FORM && payload !== undefined) this.#handOn(target, payload)
    else if (target.form === BYTES_FORM && typeof payload === 'string') {
      this.#handOn(target, Buffer.from(payload, 'base64'))
    } else {
      // Nothing of ours: the hub is open to everyone who may connect to the database.
      this.#handGap(target)
    }
  }

  #handOn({ entries, context }: Target, message: unknown): void {
    for (const entry of entries) {
      if (!entry.open) continue
      try {
        const result = entry.listener.onMessage(message, context)
        if (result instanceof Promise) result.catch(this.#onError)
      } catch (error) {
        this.#onError(error)
      }
    }
  }

  #handGap({ entries }: Target): void {
    for (const entry of entries) this.#call(entry, () => entry.listener.onGap())
  }

  #call(entry: Entry, tell: () => unknown): void {
    if (!entry.open) return
    try {
      const result = tell()
      if (result instanceof Promise) result.catch(this.#onError)
    } catch (error) {
      this.#onError(error)
    }
  }
}

function hold(held: Held, arrival: Arrival): void {
  if (held.overflowed) return
  held.arrivals.push(arrival)
  held.overflowed = held.arrivals.length >= HELD_MESSAGES
}
