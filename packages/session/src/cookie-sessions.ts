/**
 * Sessions as the stores of Express and Fastify have them: their data carries the cookie, whose end says when they end.
 *
 * The end moves at every request. A session in which nothing else was changed is touched, not saved, and keeps the cookie that is stored; what is loaded
 * has the end that the database knows.
 */
import {
  type CookieLike,
  cookieEndingIn,
  cookieLifetime,
  plainCookie,
  sameButForEnd,
} from './cookie.js'
import type { Device } from './device.js'
import type { SessionsOptions } from './options.js'
import type { Session } from './session.js'
import { Sessions } from './sessions.js'

/** A session with its cookie, as both frameworks write it. */
export interface CookieData {
  // biome-ignore lint/suspicious/noExplicitAny: every framework has a class of cookies of its own
  cookie?: any
  // biome-ignore lint/suspicious/noExplicitAny: applications put anything into a session
  [key: string]: any
}

/** A session that is stored, to be given to the save that follows. */
export type Known = Session<CookieData>

/** Loads and saves sessions that carry their cookie. */
export class CookieSessions {
  readonly sessions: Sessions<CookieData>

  constructor(options: SessionsOptions<CookieData>) {
    this.sessions = new Sessions(options)
  }

  /** Answers what is known of a session, and its data for the framework to keep. One without a cookie was not begun by these frameworks, which could not open it. */
  async load(
    sid: string,
  ): Promise<{ readonly known: Known; readonly data: CookieData } | undefined> {
    const known = await this.sessions.load(sid)
    if (typeof known?.data.cookie !== 'object' || known.data.cookie === null) return undefined
    return { known, data: dataToGive(known.data, known.expiresIn) }
  }

  /** Stores a session, whatever was there. */
  async create(sid: string, session: CookieData, device?: Device): Promise<Known> {
    const lifetime = cookieLifetime(session.cookie)
    const data = { ...session, cookie: plainCookie(session.cookie) }
    return this.sessions.create(data, { id: sid, device, ...lifetime })
  }

  /** Stores what was changed in a session. Answers `false` where it has ended. */
  async save(known: Known, session: CookieData): Promise<boolean> {
    const lifetime = cookieLifetime(session.cookie)
    const cookie = plainCookie(session.cookie)
    const stored = known.data.cookie
    known.data = { ...session, cookie: sameButForEnd(stored, cookie) ? stored : cookie }
    return this.sessions.save(known, lifetime)
  }

  /** Prolongs a session by its cookie. Where the application changed more of the cookie than its end, that is stored, and nothing else. */
  async touch(session: Known | string, cookie: unknown): Promise<boolean> {
    const lifetime = cookieLifetime(cookie as CookieLike)
    if (typeof session === 'string' || sameButForEnd(session.data.cookie, cookie)) {
      return this.sessions.touch(session, lifetime)
    }
    const stored = await this.sessions.load(session.id)
    if (stored === undefined) return false
    stored.data.cookie = plainCookie(cookie)
    return this.sessions.save(stored, lifetime)
  }

  /** Answers what names every live session. */
  async refs(): Promise<string[]> {
    const refs: string[] = []
    for await (const ref of this.sessions.refs()) refs.push(ref)
    return refs
  }

  /** Answers the data of every live session. */
  async all(): Promise<CookieData[]> {
    const all: CookieData[] = []
    for await (const { data, expiresIn } of this.sessions.all()) {
      all.push(dataToGive(data, expiresIn))
    }
    return all
  }
}

/** Tells whether a session holds nothing but its cookie. */
export function isEmpty(session: object): boolean {
  for (const key of Object.keys(session)) if (key !== 'cookie') return false
  return true
}

function dataToGive(stored: CookieData, expiresIn: number): CookieData {
  const data = { ...stored, cookie: cookieEndingIn(stored.cookie, expiresIn) }
  // Frameworks copy keys by assignment, and this one would give the copy another prototype.
  if (Object.hasOwn(data, '__proto__')) Reflect.deleteProperty(data, '__proto__')
  return data
}
