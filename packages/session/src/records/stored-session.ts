/**
 * What this process knows of a session: what it read or wrote last. Such a state never changes; another takes its place.
 *
 * The server answers when a session ends by its clock, and what its clock says. From then on time is measured by this process's monotonic clock, so a wall clock that
 * is wrong or jumps does no harm.
 */
import { sessionError } from '../errors.js'
import { sameHash } from '../id.js'
import { DATA_MARK } from '../sql/read-sessions.js'

/** What is known of a session, as it is made. */
export interface KnownSession {
  /** SHA-256 of the id, in hex. */
  readonly hash: string
  readonly version: number
  /** The data as JSON. */
  readonly text: string
  readonly user: string | null
  /** Milliseconds since the epoch, by the server's clock, to the microsecond: it tells one life of an id from another. */
  readonly createdAt: number
  readonly expiresAt: number
}

/** One stored session as it was at a moment. */
export class StoredSession implements KnownSession {
  readonly hash: string
  readonly version: number
  readonly text: string
  readonly user: string | null
  readonly createdAt: number
  readonly expiresAt: number
  /** Between the server's clock and the monotonic one of this process. */
  readonly #serverAhead: number

  constructor(of: KnownSession, now: number) {
    this.hash = of.hash
    this.version = of.version
    this.text = of.text
    this.user = of.user
    this.createdAt = of.createdAt
    this.expiresAt = of.expiresAt
    this.#serverAhead = now - performance.now()
  }

  /** The server's time, as far as this process can tell. */
  get now(): number {
    return performance.now() + this.#serverAhead
  }

  /** The same session with another end. */
  prolonged(expiresAt: number): StoredSession {
    return new StoredSession({ ...this, expiresAt }, this.now)
  }
}

/** What the server says of a session first, whatever it is asked. */
export interface Head {
  readonly hash: string
  readonly version: number
  readonly expiresAt: number
  readonly createdAt: number
}

/** A row as the server answers it, its data not opened yet. */
export interface CarriedSession extends Omit<KnownSession, 'text'> {
  readonly data: string
}

/** Takes apart what begins every answer: hash, version, end and beginning, with a space between them. */
export function parseHead(text: string, end: number = text.length): Head {
  const version = text.indexOf(' ') + 1
  const expiresAt = text.indexOf(' ', version) + 1
  const createdAt = text.indexOf(' ', expiresAt) + 1
  return {
    hash: text.slice(0, version - 1),
    version: Number(text.slice(version, expiresAt - 1)),
    expiresAt: Number(text.slice(expiresAt, createdAt - 1)),
    createdAt: Number(text.slice(createdAt, end)) / 1000,
  }
}

/**
 * Takes apart what a read answers. Whoever asked for one session must not get another's, whatever happened to the order of an answer.
 *
 * @throws {@link HowdahError} SESSION_CORRUPT
 */
export function parseCarried(found: string, asked?: string): CarriedSession {
  const mark = found.indexOf(DATA_MARK)
  // The user is JSON, and may hold spaces.
  const quote = found.indexOf('"')
  const headEnd = quote === -1 || quote > mark ? mark : quote
  const { hash, version, expiresAt, createdAt } = parseHead(found, headEnd)
  if (asked !== undefined && !sameHash(hash, asked)) throw notAsked()
  return {
    hash: asked ?? hash,
    version,
    expiresAt,
    createdAt,
    user: headEnd === mark ? null : (JSON.parse(found.slice(headEnd, mark)) as string),
    data: found.slice(mark + 1),
  }
}

function notAsked() {
  return sessionError(
    'SESSION_CORRUPT',
    'The database answered another session than the one asked for. Nothing was given out; please report it.',
  )
}
