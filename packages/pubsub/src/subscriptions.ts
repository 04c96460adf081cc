/**
 * Who listens to which channel in this process, over the one hub.
 *
 * Invariants
 * - The hub is asked once, when the first subscription comes, and let go when the last has gone.
 * - A subscription that has resolved misses nothing published later, or its `onGap` is called.
 * - A listener that throws takes no message from another.
 */
import type { Database } from '@howdah/core'

/** What one subscription is told. */
export interface Listener {
  onMessage(message: unknown): void
  onGap(): void
}

const HUB_KIND = 'pubsub'

/** The subscriptions of one {@link PubSub}. */
export class Subscriptions {
  readonly #db: Database
  readonly #onError: (error: unknown) => void
  readonly #byName = new Map<string, Set<Listener>>()
  #registration: Promise<() => unknown> | undefined

  constructor(db: Database, onError: (error: unknown) => void) {
    this.#db = db
    this.#onError = onError
  }

  /** Sends a message to all processes, this one included. */
  send(
    name: string,
    message: unknown,
    options: Parameters<Database['hub']['send']>[3],
  ): Promise<void> {
    return this.#db.hub.send(HUB_KIND, name, message, options)
  }

  /** Adds a listener; resolves once it is sure to hear what is published from then on. */
  async add(name: string, listener: Listener): Promise<() => Promise<void>> {
    const listeners = this.#byName.get(name) ?? new Set()
    this.#byName.set(name, listeners.add(listener))
    try {
      this.#registration ??= this.#register()
      await this.#registration
    } catch (error) {
      this.#registration = undefined
      this.#forget(name, listener)
      throw error
    }
    return async () => {
      this.#forget(name, listener)
      if (this.#byName.size === 0) await this.#unregister()
    }
  }

  /** Drops every listener and lets the hub go. */
  async close(): Promise<void> {
    this.#byName.clear()
    await this.#unregister()
  }

  #register(): Promise<() => unknown> {
    return this.#db.hub.register(HUB_KIND, {
      onMessage: (name, message) => {
        for (const listener of this.#byName.get(name) ?? []) {
          this.#guard(() => listener.onMessage(message))
        }
      },
      onGap: () => {
        for (const listeners of this.#byName.values()) {
          for (const listener of listeners) this.#guard(() => listener.onGap())
        }
      },
    })
  }

  async #unregister(): Promise<void> {
    const registration = this.#registration
    this.#registration = undefined
    const unregister = await registration?.catch(() => undefined)
    await unregister?.()
  }

  #forget(name: string, listener: Listener): void {
    const listeners = this.#byName.get(name)
    listeners?.delete(listener)
    if (listeners?.size === 0) this.#byName.delete(name)
  }

  #guard(call: () => void): void {
    try {
      call()
    } catch (error) {
      this.#onError(error)
    }
  }
}
