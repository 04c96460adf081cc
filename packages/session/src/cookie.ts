import type { SessionLifetime } from './sessions.js'

/** The part of a session cookie that says how long the session lives. */
export interface CookieLike {
  readonly originalMaxAge?: number | null | undefined
  readonly expires?: Date | string | boolean | null | undefined
}

/** A thousand years; a cookie that outlives it is as good as eternal, and a timestamp cannot go on for ever. */
const LONGEST_MS = 1000 * 365.25 * 86_400_000

/**
 * How long a session lives by its cookie; `{}` for a cookie that ends with the browser. The age comes first: it is a
 * length of time and so does not depend on this machine's clock.
 */
export function cookieLifetime(cookie: CookieLike | undefined): SessionLifetime {
  const { originalMaxAge, expires } = cookie ?? {}
  if (typeof originalMaxAge === 'number' && !Number.isNaN(originalMaxAge)) {
    return { ttl: Math.min(Math.max(Math.round(originalMaxAge), 0), LONGEST_MS) }
  }
  if (expires instanceof Date || typeof expires === 'string') {
    const at = new Date(expires)
    if (!Number.isNaN(at.getTime())) return { expiresAt: at }
  }
  return {}
}

/** The session with the expiry its cookie has now; the text that was saved knows only the one it had then. */
export function withCookieExpiry<Data extends { cookie?: unknown }>(
  session: Data,
  expiresAt: Date,
): Data {
  const cookie = session.cookie as CookieLike | null | undefined
  if (typeof cookie !== 'object' || cookie === null || typeof cookie.expires !== 'string') {
    return session
  }
  return { ...session, cookie: { ...cookie, expires: expiresAt.toISOString() } }
}
