/**
 * A session store for @fastify/session.
 *
 * A save has to know which state its request had loaded, or it could neither be merged with those of others nor know that the session has ended meanwhile. But
 * @fastify/session makes its session object of what the store answered without telling the store, and all that it takes over are enumerable keys. So what is known travels
 * under such a key, in an object that JSON leaves out, and which is taken from the data before it is stored.
 *
 * @packageDocumentation
 */
import type { SessionStore } from '@fastify/session'
import type { FastifyRequest, Session as FastifySession } from 'fastify'
import { type CookieData, CookieSessions, isEmpty, type Known } from '../cookie-sessions.js'
import type { Device } from '../device.js'
import type { SessionsOptions } from '../options.js'
import type { Sessions } from '../sessions.js'
import { settle } from '../settle.js'

export type { CallbackStore } from '../moving/callback-store.js'
export { FastifySessionMirror, mirror } from '../moving/fastify-mirror.js'
export type {
  MirrorEvents,
  MirrorFailure,
  MirrorMismatch,
  MirrorStats,
} from '../moving/mirror-events.js'
export type { MirrorOptions, MirrorSwitch } from '../moving/mirror-options.js'

/** Options of {@link FastifySessionStore}: those of `Sessions`, and where its devices come from. */
export interface FastifySessionStoreOptions
  extends SessionsOptions<FastifySession & Record<string, unknown>> {
  /**
   * Tells where a session begins, to show to its user; `false` keeps nothing of it.
   *
   * @defaultValue `request.ip`, which follows Fastify's option `trustProxy`, and the header `User-Agent`
   */
  readonly device?: ((request: FastifyRequest) => Device | undefined) | false | undefined
}

const LINK = '@howdah/session'

/** Carries what is known of a session. JSON does not show it, so @fastify/session sees no change in it. */
class Link {
  readonly #known: Known

  constructor(known: Known) {
    this.#known = known
  }

  static knownIn(link: unknown): Known | undefined {
    return link instanceof Link ? link.#known : undefined
  }

  toJSON(): undefined {}
}

/**
 * Keeps the sessions of @fastify/session in PostgreSQL. A session lives as long as its cookie, or `ttl` when the cookie ends with the browser. A session
 * that was destroyed while another request had it loaded stays destroyed, and of two requests that change different keys of a session both count. A session that is
 * new and holds nothing is not stored, and one that is only read costs a write from time to time, whatever `saveUninitialized` and `rolling` say.
 *
 * Every method can be called with a callback, as @fastify/session does, or answers a promise without one.
 *
 * @example
 * ```ts
 * import cookie from '@fastify/cookie'
 * import session from '@fastify/session'
 * import { FastifySessionStore } from '@howdah/session/fastify'
 * import Fastify from 'fastify'
 * import { Pool } from 'pg'
 *
 * const app = Fastify()
 * await app.register(cookie)
 * await app.register(session, {
 *   store: new FastifySessionStore({ pool: new Pool() }),
 *   secret: 'at least 32 characters, read from the environment',
 * })
 * ```
 */
export class FastifySessionStore implements SessionStore {
  /** The sessions themselves: to list and revoke those of a user, and for all that @fastify/session has no words for. */
  readonly sessions: Sessions<CookieData>
  readonly #stored: CookieSessions
  readonly #device: (request: FastifyRequest) => Device | undefined
  /** What is known of sessions that this store has created and requests have in hand. */
  readonly #created = new WeakMap<object, Known>()

  /** @throws {@link HowdahError} SESSION_INVALID_OPTION, CORE_INVALID_DURATION, CORE_INVALID_SOURCE */
  constructor({ device = deviceOf, ...options }: FastifySessionStoreOptions) {
    this.#stored = new CookieSessions(options as SessionsOptions<CookieData>)
    this.sessions = this.#stored.sessions
    this.#device = device === false ? () => undefined : device
  }

  /** Answers the session, or nothing when it is unknown, expired or destroyed. */
  get(
    sessionId: string,
    callback?: (error: unknown, session?: FastifySession | null) => void,
  ): Promise<FastifySession | null> {
    const found = async () => {
      const session = await this.#stored.load(sessionId)
      if (session === undefined) return null
      return { ...session.data, [LINK]: new Link(session.known) } as unknown as FastifySession
    }
    return settle(found(), callback)
  }

  /** Stores the session until its cookie expires: what was changed in it, where it was loaded; else as a whole. */
  set(
    sessionId: string,
    session: FastifySession,
    callback?: (error?: unknown) => void,
  ): Promise<void> {
    const saved = async () => {
      const data = dataOf(session)
      const known = this.#known(sessionId, session)
      if (known !== undefined) return void (await this.#stored.save(known, data))
      const request = requestOf(session)
      // Only sessions that @fastify/session made have a request.
      if (request !== undefined && (isEmpty(data) || hasEnded(request, session))) return
      const device = request && this.#device(request)
      this.#created.set(session, await this.#stored.create(sessionId, data, device))
    }
    return settle(saved(), callback)
  }

  /** Lets the session live as long again, without writing at every request. */
  touch(
    sessionId: string,
    session: FastifySession,
    callback?: (error?: unknown) => void,
  ): Promise<void> {
    const touched = async () => {
      await this.#stored.touch(this.#known(sessionId, session) ?? sessionId, session.cookie)
    }
    return settle(touched(), callback)
  }

  /** Ends the session. */
  destroy(sessionId: string, callback?: (error?: unknown) => void): Promise<void> {
    const destroyed = async () => {
      await this.sessions.destroy(sessionId)
    }
    return settle(destroyed(), callback)
  }

  /** Answers every live session. */
  all(callback?: (error: unknown, sessions?: FastifySession[]) => void): Promise<FastifySession[]> {
    return settle(this.#stored.all() as Promise<unknown> as Promise<FastifySession[]>, callback)
  }

  /** Counts the live sessions. */
  length(callback?: (error: unknown, length?: number) => void): Promise<number> {
    return settle(this.sessions.count(), callback)
  }

  /** Answers the SHA-256, in hex, of each live session's id: the ids themselves are not kept. */
  ids(callback?: (error: unknown, ids?: string[]) => void): Promise<string[]> {
    return settle(this.#stored.refs(), callback)
  }

  /** Ends every session. */
  clear(callback?: (error?: unknown) => void): Promise<void> {
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

  /** A session that was given another id may carry what is known of the old one along with its keys. */
  #known(sessionId: string, session: object): Known | undefined {
    const known =
      this.#created.get(session) ?? Link.knownIn((session as Record<string, unknown>)[LINK])
    return known?.id === sessionId ? known : undefined
  }
}

/** What a session holds. Its class keeps everything else under symbols. */
function dataOf(session: object): CookieData {
  return Object.fromEntries(Object.entries(session).filter(([key]) => key !== LINK))
}

/**
 * Nothing is known of it, yet the browser has its id already: `reload()` did not find it any more. Stored now, the id of a session that was destroyed would open a
 * session again.
 */
function hasEnded({ cookies }: FastifyRequest, session: FastifySession): boolean {
  const { encryptedSessionId: id } = session as { readonly encryptedSessionId?: string }
  if (id === undefined || cookies === undefined) return false
  return Object.values(cookies).some((cookie) => cookie?.endsWith(id))
}

/** The symbol is a private one of @fastify/session. */
function requestOf(session: object): FastifyRequest | undefined {
  const symbol = Object.getOwnPropertySymbols(session).find((one) => one.description === 'request')
  return symbol && (session as Record<symbol, FastifyRequest>)[symbol]
}

function deviceOf(request: FastifyRequest): Device {
  return { address: request.ip, userAgent: request.headers?.['user-agent'] }
}
