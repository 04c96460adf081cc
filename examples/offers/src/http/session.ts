import { promisify } from 'node:util'
import type { PgSessionStore } from '@howdah/session/express'
import type { Request, RequestHandler } from 'express'
import session from 'express-session'

declare module 'express-session' {
  interface SessionData {
    memberId: string
    csrf: string
  }
}

/** Gives every request its session. A visitor gets none before there is something to remember. */
export function sessions(store: PgSessionStore, secret: string): RequestHandler {
  return session({
    store,
    secret,
    name: 'offers.sid',
    resave: false,
    saveUninitialized: false,
    cookie: { httpOnly: true, sameSite: 'lax', secure: 'auto' },
  })
}

/** Logs a member in, under a new session id: one that somebody planted before is worth nothing then. */
export async function logIn(req: Request, memberId: string): Promise<void> {
  await promisify(req.session.regenerate).call(req.session)
  req.session.memberId = memberId
}

/** Ends the session in the database, so that a copy of its cookie opens nothing either. */
export async function logOut(req: Request): Promise<void> {
  await promisify(req.session.destroy).call(req.session)
}
