import { EventEmitter } from 'node:events'

/** Maps an event's name to the arguments its listeners receive. */
export type EventMap = Record<string, readonly unknown[]>

/**
 * A small typed event emitter. An `error` event without a listener is dropped rather than thrown: background work
 * retries by itself and must not end the host process.
 *
 * @example
 * ```ts
 * import { Emitter } from '@howdah/core'
 *
 * const emitter = new Emitter<{ ready: [port: number] }>()
 * const off = emitter.on('ready', (port) => port.toFixed())
 * emitter.emit('ready', 5432)
 * off()
 * ```
 */
export class Emitter<Events extends { [Name in keyof Events]: readonly unknown[] }> {
  // Every primitive on a database may listen, so that many listeners are no sign of a leak.
  readonly #emitter = new EventEmitter().setMaxListeners(0)

  /** Adds a listener and returns the function that removes it. */
  on<Name extends keyof Events & string>(
    name: Name,
    listener: (...args: Events[Name]) => void,
  ): () => void {
    const call = listener as unknown as (...args: unknown[]) => void
    this.#emitter.on(name, call)
    return () => {
      this.#emitter.off(name, call)
    }
  }

  /** Adds a listener for the next such event only. */
  once<Name extends keyof Events & string>(
    name: Name,
    listener: (...args: Events[Name]) => void,
  ): () => void {
    const off = this.on(name, (...args) => {
      off()
      listener(...args)
    })
    return off
  }

  /** Calls the listeners in the order they were added. A listener that throws is reported as `error`, if anyone listens. */
  emit<Name extends keyof Events & string>(name: Name, ...args: Events[Name]): void {
    for (const listener of this.#emitter.listeners(name)) {
      try {
        listener(...args)
      } catch (error) {
        if (name !== 'error') this.emit('error' as Name, ...([error] as unknown as Events[Name]))
      }
    }
  }

  /** How many listeners an event has. */
  listenerCount(name: keyof Events & string): number {
    return this.#emitter.listenerCount(name)
  }
}
