import { isHowdahError } from '@howdah/core'
import { type Session as ExpressSession, type SessionData, Store } from 'express-session'
import type { CallbackStore } from '../moving/callback-store.js'
import { Mirror } from '../moving/mirror.js'
import type { MirrorStats } from '../moving/mirror-events.js'
import type { MirrorOptions, MirrorSwitch } from '../moving/mirror-options.js'
import { settle } from '../settle.js'

type StoreRequest = Parameters<Store['createSession']>[0]

/**
 * Runs two stores of express-session in parallel, made by {@link mirror}.
 *
 * It emits `mirror-error` when the store that is not read from fails or does not answer in time, and `mismatch` when the two have not the same of a session; neither names
 * ids or values.
 */
export class SessionMirror extends Store {
  readonly #mirror: Mirror

  /** Made by {@link mirror}. @internal */
  constructor(oldStore: CallbackStore, newStore: CallbackStore, options: MirrorOptions) {
    super()
    this.#mirror = new Mirror(oldStore, newStore, options, {
      // An error that a listener throws is the application's, not that of a request.
      failed: (error, failure) => process.nextTick(() => this.emit('mirror-error', error, failure)),
      differs: (mismatch) => process.nextTick(() => this.emit('mismatch', mismatch)),
    })
  }

  /** Chooses which store is read from, beginning with the next read. */
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
  override get(
    sid: string,
    callback?: (error: unknown, session?: SessionData | null) => void,
  ): Promise<SessionData | null> {
    return settle(this.#mirror.get(sid) as Promise<SessionData | null>, callback)
  }

  /** Stores the session in both. */
  override set(
    sid: string,
    session: SessionData,
    callback?: (error?: unknown) => void,
  ): Promise<void> {
    return settle(this.#mirror.set(sid, session), callback)
  }

  /** Lets the session live as long again, in both. */
  override touch(
    sid: string,
    session: SessionData,
    callback?: (error?: unknown) => void,
  ): Promise<void> {
    return settle(this.#mirror.touch(sid, session), callback)
  }

  /** Ends the session in both, and fails where one of them could not be told. */
  override destroy(sid: string, callback?: (error?: unknown) => void): Promise<void> {
    return settle(this.#mirror.destroy(sid), callback)
  }

  /** Answers every session of the store that is read from, as that store does. */
  override all(
    callback?: (
      error: unknown,
      sessions?: SessionData[] | { [sid: string]: SessionData } | null,
    ) => void,
  ): Promise<SessionData[] | { [sid: string]: SessionData } | null> {
    type All = SessionData[] | { [sid: string]: SessionData } | null
    return settle(this.#mirror.all() as Promise<All>, callback)
  }

  /** Counts the sessions of the store that is read from. */
  override length(callback?: (error: unknown, length?: number) => void): Promise<number> {
    return settle(this.#mirror.length(), callback)
  }

  /** Ends every session in both. */
  override clear(callback?: (error?: unknown) => void): Promise<void> {
    return settle(this.#mirror.clear(), callback)
  }

  /** @internal The old id of a login opens nothing that was logged in, so the login succeeds although one store still has to be told of it. */
  override regenerate(req: StoreRequest, callback: (error?: unknown) => void): void {
    const ended = this.#mirror.destroy(req.sessionID).catch((error) => {
      if (!isHowdahError(error, 'SESSION_NOT_ENDED')) throw error
    })
    const regenerated = (error?: unknown) => {
      ;(this as unknown as { generate(req: StoreRequest): void }).generate(req)
      callback(error)
    }
    void settle(ended, regenerated).catch(() => {})
  }

  /** @internal The store that a session was loaded from makes the session object, by which it will know it again. */
  override createSession(req: StoreRequest, session: SessionData): ExpressSession & SessionData {
    const store = this.#mirror.storeOf(session) as Partial<Store> | undefined
    const made = store?.createSession?.(req, session) ?? super.createSession(req, session)
    this.#mirror.becomes(session, made)
    return made
  }
}

/**
 * Runs two session stores in parallel, to move from one to the other and back: both are written to, and which one is read from can be switched at any time.
 *
 * @throws {@link HowdahError} SESSION_INVALID_OPTION, CORE_INVALID_DURATION
 *
 * @example
 * ```ts
 * import { mirror, PgSessionStore } from '@howdah/session/express'
 * import { RedisStore } from 'connect-redis'
 * import { Pool } from 'pg'
 * import { createClient } from 'redis'
 *
 * const oldStore = new RedisStore({ client: createClient() })
 * const newStore = new PgSessionStore({ pool: new Pool() })
 * const store = mirror(oldStore, newStore, { readFrom: 'old', shadow: true })
 * store.on('mismatch', ({ ref, kind, keys }) => console.log(ref, kind, keys))
 * store.on('mirror-error', (error, { store, operation }) => console.log(store, operation, error))
 *
 * await newStore.sessions.importFrom(oldStore)
 * store.switch({ readFrom: 'new', shadow: true })
 * ```
 */
export function mirror(
  oldStore: CallbackStore,
  newStore: CallbackStore,
  options: MirrorOptions,
): SessionMirror {
  return new SessionMirror(oldStore, newStore, options)
}
