import type { SessionLifetime } from './session.js'

/** The part of a session cookie that says how long the session lives. */
export interface CookieLike {
  readonly originalMaxAge?: number | null | undefined
  readonly expires?: Date | string | boolean | null | undefined
}

/** A thousand years; a cookie that outlives it is as good as eternal, and a timestamp cannot go on for ever. */
const LONGEST_MS = 1000 * 365.25 * 86_400_000
/** Between the end that a cookie says and the one that the database knows lies the way of the save that stored both. */
const SAME_END_MS = 1000

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

/** A stored cookie with the end that the session has now; what was saved knows only the one it had then. */
export function cookieEndingIn(cookie: unknown, ms: number): unknown {
  const { expires } = (cookie ?? {}) as CookieLike
  if (typeof expires !== 'string') return cookie
  const end = Date.now() + ms
  if (Math.abs(end - Date.parse(expires)) < SAME_END_MS) return cookie
  return { ...(cookie as object), expires: new Date(end).toISOString() }
}

/** The cookie as JSON has it, but for keys that JSON leaves out. */
export function plainCookie(cookie: unknown): unknown {
  if (typeof cookie !== 'object' || cookie === null) return cookie
  const { toJSON } = cookie as { readonly toJSON?: unknown }
  const plain: Record<string, unknown> = {
    ...(typeof toJSON === 'function' ? toJSON.call(cookie) : cookie),
  }
  for (const key of Object.keys(plain)) {
    const value = plain[key]
    if (value instanceof Date) plain[key] = value.toJSON()
    else if (typeof value === 'object' && value !== null) return JSON.parse(JSON.stringify(plain))
  }
  return plain
}

/** Tells whether a cookie differs from the one that is stored in nothing but its end, which moves at every request. */
export function sameButForEnd(stored: unknown, cookie: unknown): boolean {
  const a = fieldsOf(stored)
  const b = fieldsOf(cookie)
  return hasFields(a, b) && hasFields(b, a)
}

/** Every request that changes nothing comes here: JSON of both would cost it ten times as much. */
function hasFields(a: Record<string, unknown>, b: Record<string, unknown>): boolean {
  for (const key of Object.keys(b)) {
    if (key === 'expires' || key === 'originalExpires') continue
    const [one, other] = [a[key] ?? null, b[key] ?? null]
    if (one !== other && JSON.stringify(one) !== JSON.stringify(other)) return false
  }
  return true
}

function fieldsOf(cookie: unknown): Record<string, unknown> {
  const { toJSON } = (cookie ?? {}) as { readonly toJSON?: unknown }
  const fields: unknown = typeof toJSON === 'function' ? toJSON.call(cookie) : cookie
  return (fields ?? {}) as Record<string, unknown>
}
