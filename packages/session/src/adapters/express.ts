/**
 * A session store for express-session.
 *
 * @packageDocumentation
 */
import { type Session as ExpressSession, type SessionData, Store } from 'express-session'
import { type CookieData, CookieSessions, isEmpty, type Known } from '../cookie-sessions.js'
import type { Device } from '../device.js'
import type { SessionsOptions } from '../options.js'
import type { Sessions } from '../sessions.js'
import { settle } from '../settle.js'

export type { CallbackStore } from '../moving/callback-store.js'
export type {
  MirrorEvents,
  MirrorFailure,
  MirrorMismatch,
  MirrorStats,
} from '../moving/mirror-events.js'
export type { MirrorOptions, MirrorSwitch } from '../moving/mirror-options.js'
export { mirror, SessionMirror } from './express-mirror.js'

/** The request as express-session's own types name it, so that we need not import those of express. */
type StoreRequest = Parameters<Store['createSession']>[0]

/** Options of {@link PgSessionStore}: those of `Sessions`, and where its devices come from. */
export interface PgSessionStoreOptions
  extends SessionsOptions<SessionData & Record<string, unknown>> {
  /**
   * Tells where a session begins, to show to its user; `false` keeps nothing of it.
   *
   * @defaultValue `req.ip`, which follows Express's setting `trust proxy`, and the header `User-Agent`
   */
  readonly device?: ((req: StoreRequest) => Device | undefined) | false | undefined
}

/**
 * Keeps the sessions of express-session in PostgreSQL. A session lives as long as its cookie, or `ttl` when the cookie ends with
 * the browser. A session that was destroyed while another request had it loaded stays destroyed, and of two requests that change different keys of a session
 * both count. A session that is new and holds nothing is not stored.
 *
 * Every method can be called with a callback, as express-session does, or answers a promise without one.
 *
 * @example
 * ```ts
 * import express from 'express'
 * import session from 'express-session'
 * import { PgSessionStore } from '@howdah/session/express'
 * import { Pool } from 'pg'
 *
 * const app = express()
 * app.use(
 *   session({
 *     store: new PgSessionStore({ pool: new Pool() }),
 *     secret: 'read it from the environment',
 *     resave: false,
 *     saveUninitialized: false,
 *   }),
 * )
 * ```
 */
export class PgSessionStore extends Store {
  /** The sessions themselves: to list and revoke those of a user, and for all that express-session has no words for. */
  readonly sessions: Sessions<CookieData>
  readonly #stored: CookieSessions
  readonly #device: (req: StoreRequest) => Device | undefined
  /** What is known of sessions that requests have in hand. */
  readonly #known = new WeakMap<object, Known>()

  /** @throws {@link HowdahError} SESSION_INVALID_OPTION, CORE_INVALID_DURATION, CORE_INVALID_SOURCE */
  constructor({ device = deviceOf, ...options }: PgSessionStoreOptions) {
    super()
    this.#stored = new CookieSessions(options as SessionsOptions<CookieData>)
    this.sessions = this.#stored.sessions
    this.#device = device === false ? () => undefined : device
  }

  /** Answers the session, or nothing when it is unknown, expired or destroyed. */
  override get(
    sid: string,
    callback?: (error: unknown, session?: SessionData | null) => void,
  ): Promise<SessionData | null> {
    const found = async () => {
      const session = await this.#stored.load(sid)
      if (session === undefined) return null
      this.#known.set(session.data, session.known)
      return session.data as SessionData
    }
    return settle(found(), callback)
  }

  /** Stores the session until its cookie expires: what was changed in it, where it was loaded; else as a whole. */
  override set(
    sid: string,
    session: SessionData,
    callback?: (error?: unknown) => void,
  ): Promise<void> {
    const saved = async () => {
      const known = this.#known.get(session)
      if (known !== undefined) return void (await this.#stored.save(known, session))
      const { req } = session as { readonly req?: StoreRequest }
      // Only sessions that express-session made have a request; those would be stored for every visitor who never comes back.
      if (req !== undefined && isEmpty(session)) return
      const device = req && this.#device(req)
      this.#known.set(session, await this.#stored.create(sid, session, device))
    }
    return settle(saved(), callback)
  }

  /** Lets the session live as long again, without writing at every request. */
  override touch(
    sid: string,
    session: SessionData,
    callback?: (error?: unknown) => void,
  ): Promise<void> {
    const touched = async () => {
      await this.#stored.touch(this.#known.get(session) ?? sid, session.cookie)
    }
    return settle(touched(), callback)
  }

  /** Ends the session. */
  override destroy(sid: string, callback?: (error?: unknown) => void): Promise<void> {
    const destroyed = async () => {
      await this.sessions.destroy(sid)
    }
    return settle(destroyed(), callback)
  }

  /** Answers every live session. */
  override all(
    callback?: (error: unknown, sessions?: SessionData[] | null) => void,
  ): Promise<SessionData[]> {
    return settle(this.#stored.all() as Promise<SessionData[]>, callback)
  }

  /** Counts the live sessions. */
  override length(callback?: (error: unknown, length?: number) => void): Promise<number> {
    return settle(this.sessions.count(), callback)
  }

  /** Answers the SHA-256, in hex, of each live session's id: the ids themselves are not kept. */
  ids(callback?: (error: unknown, ids?: string[]) => void): Promise<string[]> {
    return settle(this.#stored.refs(), callback)
  }

  /** Ends every session. */
  override clear(callback?: (error?: unknown) => void): Promise<void> {
    return settle(this.sessions.clear(), callback)
  }

  /** Stops the background work. The pool stays open. */
  close(): Promise<void> {
    return this.sessions.close()
  }

  /** Closes at the end of an `await using` block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** @internal express-session makes its session object of what {@link PgSessionStore.get} found. */
  override createSession(req: StoreRequest, session: SessionData): ExpressSession & SessionData {
    const made = super.createSession(req, session)
    const known = this.#known.get(session)
    if (known !== undefined) this.#known.set(made, known)
    return made
  }
}

function deviceOf(req: StoreRequest): Device {
  return {
    address: req.ip ?? req.socket?.remoteAddress,
    userAgent: req.headers?.['user-agent'],
  }
}
