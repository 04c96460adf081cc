/**
 * Sessions as JSON, compared as two stores have them. The end of the cookie does not count, since it moves at every request, nor does the order of keys; `__proto__` does
 * not either, for no framework gives that key to an application.
 */
import { isDeepStrictEqual } from 'node:util'

/** A session as JSON has it. */
export type PlainSession = Record<string, unknown>

/** Copies a session as JSON would, so that what the request does next does not reach the copy. */
export function plainSession(session: object): PlainSession {
  const { __proto__: _, ...data } = JSON.parse(JSON.stringify(session)) as PlainSession
  return data
}

/** The top-level keys in which two sessions differ. */
export function differingKeys(a: PlainSession, b: PlainSession): string[] {
  const keys = new Set([...Object.keys(a), ...Object.keys(b)])
  return [...keys].filter((key) => {
    const [one, other] = key === 'cookie' ? [lasting(a[key]), lasting(b[key])] : [a[key], b[key]]
    return !isDeepStrictEqual(one, other)
  })
}

/** Whether two stores that answered this have the same of a session. */
export function isSame(a: PlainSession | null, b: PlainSession | null): boolean {
  if (a === null || b === null) return a === b
  return differingKeys(a, b).length === 0
}

function lasting(cookie: unknown): unknown {
  if (typeof cookie !== 'object' || cookie === null) return cookie
  const { expires, originalExpires: _, ...rest } = cookie as PlainSession
  // A cookie that ends with the browser is another one than one that has an end.
  return { ...rest, ends: typeof expires === 'string' }
}
