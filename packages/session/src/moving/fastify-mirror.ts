import { EventEmitter } from 'node:events'
import { settle } from '../settle.js'
import type { CallbackStore } from './callback-store.js'
import { Mirror } from './mirror.js'
import type { MirrorEvents, MirrorStats } from './mirror-events.js'
import type { MirrorOptions, MirrorSwitch } from './mirror-options.js'

/**
 * Runs two stores of `@fastify/session` in parallel, made by {@link mirror}.
 *
 * It emits `mirror-error` when the store that is not read from fails or does not answer in time, and `mismatch` when the two have not the same of a session.
 */
export class FastifySessionMirror extends EventEmitter<MirrorEvents> {
  readonly #mirror: Mirror

  /** Made by {@link mirror}. @internal */
  constructor(oldStore: CallbackStore, newStore: CallbackStore, options: MirrorOptions) {
    super()
    this.#mirror = new Mirror(oldStore, newStore, options, {
      // An error that a listener throws is the application's, not that of a request.
      failed: (...args) => process.nextTick(() => this.emit('mirror-error', ...args)),
      differs: (mismatch) => process.nextTick(() => this.emit('mismatch', mismatch)),
    })
  }

  /** Chooses which store is read from, beginning with the next request. */
  switch(to: MirrorSwitch): void {
    this.#mirror.switch(to)
  }

  /** Says what was compared, what differed and what failed in this process. */
  stats(): MirrorStats {
    return this.#mirror.stats()
  }

  /** Waits for comparisons under way, and tries once more to end what is left to be ended. Call it before the stores are closed; they stay open. */
  close(): Promise<void> {
    return this.#mirror.close()
  }

  /** Answers the session that the store that is read from has. */
  // biome-ignore lint/suspicious/noExplicitAny: the session type of @fastify/session is the application's
  get(sid: string, callback?: (error: unknown, session?: any) => void): Promise<object | null> {
    return settle(this.#mirror.get(sid), callback)
  }

  /** Stores the session in both. */
  set(sid: string, session: object, callback?: (error?: unknown) => void): Promise<void> {
    return settle(this.#mirror.set(sid, session), callback)
  }

  /** Ends the session in both, and fails where one of them could not be told. */
  destroy(sid: string, callback?: (error?: unknown) => void): Promise<void> {
    return settle(this.#mirror.destroy(sid), callback)
  }
}

/**
 * Runs two session stores in parallel, to move from one to the other and back: both are written to, and which one is read from can be switched at any time.
 *
 * @throws {@link HowdahError} SESSION_INVALID_OPTION, CORE_INVALID_DURATION
 *
 * @example
 * ```ts
 * import { FastifySessionStore, mirror } from '@howdah/session/fastify'
 * import { RedisStore } from 'connect-redis'
 * import { Pool } from 'pg'
 * import { createClient } from 'redis'
 *
 * const oldStore = new RedisStore({ client: createClient() })
 * const newStore = new FastifySessionStore({ pool: new Pool() })
 * const store = mirror(oldStore, newStore, { readFrom: 'old', shadow: true })
 *
 * await newStore.sessions.importFrom(oldStore)
 * store.switch({ readFrom: 'new', shadow: true })
 * ```
 */
export function mirror(
  oldStore: CallbackStore,
  newStore: CallbackStore,
  options: MirrorOptions,
): FastifySessionMirror {
  return new FastifySessionMirror(oldStore, newStore, options)
}
