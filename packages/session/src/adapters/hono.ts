/**
 * Session middleware for Hono.
 *
 * @packageDocumentation
 */
import type { Context, MiddlewareHandler } from 'hono'
import { getCookie, setCookie } from 'hono/cookie'
import { type CookieOptions, serialize } from 'hono/utils/cookie'
import type { Device } from '../device.js'
import { sessionError } from '../errors.js'
import { RequestSession } from '../request-session.js'
import type { Sessions } from '../sessions.js'

export type { RequestSession } from '../request-session.js'

/** What the middleware adds to the context: `new Hono<SessionEnv<{ userId: string }>>()`. */
export interface SessionEnv<Data extends object = Record<string, unknown>> {
  Variables: { session: RequestSession<Data> }
}

/** The cookie that carries the id of a session. It is always `HttpOnly`. */
export interface SessionCookie {
  /** One that begins with `__Host-` cannot be planted by a sibling of your domain. @defaultValue `'session'` */
  readonly name?: string | undefined
  /** Whether browsers send it over HTTPS only. @defaultValue `true` */
  readonly secure?: boolean | undefined
  /** @defaultValue `'Lax'` */
  readonly sameSite?: 'Strict' | 'Lax' | 'None' | undefined
  /** @defaultValue `'/'` */
  readonly path?: string | undefined
  /** @defaultValue the host that answers, without its subdomains */
  readonly domain?: string | undefined
  /** Keeps a cookie of an embedded page apart for each page that embeds it. @defaultValue `false` */
  readonly partitioned?: boolean | undefined
}

/** Options of {@link session}. */
export interface SessionMiddlewareOptions {
  readonly cookie?: SessionCookie | undefined
  /**
   * Tells where a session begins, to show to its user. What the address is depends on where Hono runs: see its `getConnInfo`.
   *
   * @defaultValue the header `User-Agent`
   */
  readonly device?: ((c: Context) => Device | undefined) | undefined
}

/** What `newId` draws. Nothing else is worth asking the database for. */
const ID = /^[\w-]{43}$/
/** Browsers keep no cookie for longer, and Hono refuses to write one that says so. */
const LONGEST_SECONDS = 400 * 86_400

/**
 * Gives every request its session, as `c.var.session`. It is stored once something is set, and saved when the handler has answered. Of two requests that
 * change different keys both count, and one that was loaded before the session ended cannot bring it back.
 *
 * A handler that answers with a stream has answered before the stream is written: what a stream sets is kept by `session.save()`, and only in a session whose cookie
 * the browser has.
 *
 * @throws {@link HowdahError} SESSION_INVALID_OPTION when there can be no such cookie
 *
 * @example
 * ```ts
 * import { Sessions } from '@howdah/session'
 * import { type SessionEnv, session } from '@howdah/session/hono'
 * import { Hono } from 'hono'
 * import { Pool } from 'pg'
 *
 * type Data = { userId: string }
 * const sessions = new Sessions<Data>({ pool: new Pool(), ttl: '7d' })
 * const app = new Hono<SessionEnv<Data>>()
 * app.use(session(sessions))
 * app.post('/login', async (c) => {
 *   await c.var.session.regenerate()
 *   c.var.session.set('userId', '42')
 *   return c.json({})
 * })
 * app.get('/me', (c) => c.json({ userId: c.var.session.get('userId') }))
 * ```
 */
export function session<Data extends object>(
  sessions: Sessions<Data>,
  { cookie = {}, device = deviceOf }: SessionMiddlewareOptions = {},
): MiddlewareHandler<SessionEnv<Data>> {
  const { name, options } = resolveCookie(cookie)
  return async (c, next) => {
    // Mounted twice, it still is one session.
    if (c.get('session') !== undefined) return next()
    const presented = getCookie(c, name)
    const known =
      presented !== undefined && ID.test(presented) ? await sessions.load(presented) : undefined
    const session = new RequestSession(sessions, known, () => device(c))
    c.set('session', session)
    await next()
    await session.save()
    const given = session.handOut()
    if (given === undefined) return
    const maxAge = given === null ? 0 : secondsOf(given.expiresIn)
    setCookie(c, name, given?.id ?? '', { ...options, maxAge })
  }
}

/** Zero would take the cookie back. */
function secondsOf(ms: number): number {
  return Math.min(Math.max(Math.round(ms / 1000), 1), LONGEST_SECONDS)
}

function resolveCookie({
  name = 'session',
  secure = true,
  sameSite = 'Lax',
  path = '/',
  domain,
  partitioned = false,
}: SessionCookie): { readonly name: string; readonly options: CookieOptions } {
  const options = { httpOnly: true, secure, sameSite, path, partitioned, ...(domain && { domain }) }
  try {
    if (!['Strict', 'Lax', 'None'].includes(sameSite)) throw new Error('Unknown SameSite')
    if (sameSite === 'None' && !secure) throw new Error('SameSite=None must be Secure')
    serialize(name, '', options)
  } catch (cause) {
    throw sessionError(
      'SESSION_INVALID_OPTION',
      `There can be no such session cookie: ${(cause as Error).message}. Correct the option cookie.`,
      { cause },
    )
  }
  return Object.freeze({ name, options: Object.freeze(options) })
}

function deviceOf(c: Context): Device {
  return { userAgent: c.req.header('user-agent') }
}
