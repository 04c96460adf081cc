/** The sessions that all stores of the suite hold, as express-session writes them: 500 bytes of JSON with their cookie. */
import { createHash } from 'node:crypto'
import { Cookie, type SessionData } from 'express-session'
import { randomNumbers } from './entries.js'

export const SESSIONS = 100_000
const BYTES = 500
const MAX_AGE = 86_400_000

const cookie = new Cookie()
cookie.maxAge = MAX_AGE
cookie.originalMaxAge = MAX_AGE

/** What an application keeps; `note` fills it up to its size. */
const rest = {
  csrfToken: 'b7Ck0x2zqmNd8sPfWvRj1LhYtGe3uAoM',
  locale: 'en-GB',
  returnTo: '/orders/2026?page=2&sort=date',
  cart: [
    { sku: 'A-1042', quantity: 2 },
    { sku: 'C-0077', quantity: 1 },
  ],
  flash: [],
  note: '',
}
rest.note = 'n'.repeat(BYTES - JSON.stringify({ cookie, userId: userOf(10_000), ...rest }).length)

/** A fixed sequence, so that every contender goes through the sessions in one order. */
export const numberAt = randomNumbers(SESSIONS)

const ids = Array.from({ length: SESSIONS }, (_, n) =>
  createHash('sha256').update(`session ${n}`).digest('base64url').slice(0, 32),
)

/** An id as express-session draws them: 32 characters. */
export function idOf(n: number): string {
  return ids[n] as string
}

/** Each session has a user of its own. */
export function userOf(n: number): string {
  return String(n)
}

/** A session as a request begins it. */
export function sessionOf(n: number): SessionData {
  return { cookie, userId: userOf(n), ...rest } as object as SessionData
}
