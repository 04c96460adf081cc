/**
 * A session store for express-session.
 *
 * @packageDocumentation
 */
import { type Session, type SessionData, Store } from 'express-session'
import { cookieLifetime, withCookieExpiry } from '../cookie.js'
import type { SessionsOptions } from '../options.js'
import { type LoadedSession, Sessions } from '../sessions.js'

/** Options of {@link PgSessionStore}, the same as of `Sessions`. */
export interface PgSessionStoreOptions extends SessionsOptions {}

type Done<Value = void> = (error?: unknown, value?: Value) => void
/** The request as express-session's own types name it, so that we need not import those of express. */
type StoreRequest = Parameters<Store['createSession']>[0]

/**
 * Keeps the sessions of express-session in PostgreSQL. A session lives as long as its cookie, or `ttl` when the cookie ends with
 * the browser. A session that was destroyed while another request had it loaded stays destroyed.
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
  /** The sessions themselves, for other uses than express-session's. */
  readonly sessions: Sessions
  /** Session objects that the database knows: saving them again must not undo a destroy. */
  readonly #known = new WeakSet<object>()

  /** @throws {@link HowdahError} SESSION_INVALID_OPTION, CORE_INVALID_DURATION, CORE_INVALID_SOURCE */
  constructor(options: PgSessionStoreOptions) {
    super()
    this.sessions = new Sessions(options)
  }

  /** Answers the session, or nothing when it is unknown, expired or destroyed. */
  override get(
    sid: string,
    callback: (error: unknown, session?: SessionData | null) => void,
  ): void {
    const found = async () => {
      const session = await this.sessions.load<SessionData>(sid)
      return session === undefined ? null : sessionData(session)
    }
    settle(found(), callback)
  }

  /** Stores the session until its cookie expires. */
  override set(sid: string, session: SessionData, callback?: (error?: unknown) => void): void {
    const saved = async () => {
      const revive = !this.#known.has(session)
      await this.sessions.save(sid, session, { revive, ...cookieLifetime(session.cookie) })
      this.#known.add(session)
    }
    settle(saved(), callback)
  }

  /** Lets the session live as long again, without writing at every request. */
  override touch(sid: string, session: SessionData, callback?: (error?: unknown) => void): void {
    settle(
      this.sessions.touch(sid, cookieLifetime(session.cookie)),
      callback && ((e) => callback(e)),
    )
  }

  /** Ends the session. */
  override destroy(sid: string, callback?: (error?: unknown) => void): void {
    settle(this.sessions.destroy(sid), callback)
  }

  /** Answers every live session. */
  override all(callback: (error: unknown, sessions?: SessionData[] | null) => void): void {
    const found = async () => (await this.sessions.all<SessionData>()).map(sessionData)
    settle(found(), callback)
  }

  /** Counts the live sessions. */
  override length(callback: (error: unknown, length?: number) => void): void {
    settle(this.sessions.count(), callback)
  }

  /** Answers the SHA-256, in hex, of each live session's id: the ids themselves are not kept. */
  ids(callback: (error: unknown, ids?: string[]) => void): void {
    settle(this.sessions.ids(), callback)
  }

  /** Ends every session. */
  override clear(callback?: (error?: unknown) => void): void {
    settle(this.sessions.clear(), callback)
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
  override createSession(req: StoreRequest, session: SessionData): Session & SessionData {
    const made = super.createSession(req, session)
    this.#known.add(made)
    return made
  }
}

function sessionData(session: LoadedSession<SessionData>): SessionData {
  return session.touched ? withCookieExpiry(session.data, session.expiresAt) : session.data
}

/** Calls back once, outside the promise: an error that the callback throws is the application's, not ours. */
function settle<Value>(outcome: Promise<Value>, callback: Done<Value> = () => {}): void {
  outcome.then(
    (value) => process.nextTick(callback, null, value),
    (error) => process.nextTick(callback, error),
  )
}
