/**
 * Sessions of this server's clients, in the database.
 *
 * Invariants
 * - One statement runs at any time, and of several changes of a session it carries the last: the row never goes back to an older one.
 * - take() sees everything this server has saved before.
 */
import { type Database, Loop } from '@howdah/core'
import { dropSocketIoSessions } from '../../sql/drop-socket-io-sessions.js'
import { expireSocketIoSessions } from '../../sql/expire-socket-io-sessions.js'
import { saveSocketIoSessions } from '../../sql/save-socket-io-sessions.js'
import { seeSocketIoServer } from '../../sql/see-socket-io-server.js'
import { takeSocketIoSession } from '../../sql/take-socket-io-session.js'
import { ensureTables } from '../../tables.js'
import { decodeValue, encodeValue } from './codec.js'

/** What a socket had. */
export interface StoredSession {
  readonly sid: string
  readonly pid: string
  readonly rooms: string[]
  readonly data: unknown
}

interface Change {
  readonly namespace: string
  /** `undefined` to remove it. */
  readonly session: string | undefined
  readonly closed: boolean
}

/** Rounds of saying that the server is there between two of cleaning up. */
const ROUNDS = 12

export interface SessionsOptions {
  readonly server: string
  /** How long a session outlives its connection. */
  readonly maxAge: number
  readonly interval: number
  onError(error: unknown): void
}

/** The sessions one server holds. */
export class Sessions {
  readonly #db: Database
  readonly #options: SessionsOptions
  readonly #presence: Loop
  #changes = new Map<string, Change>()
  #writing: Promise<void> | undefined
  #seen: Promise<unknown> | undefined

  constructor(db: Database, options: SessionsOptions) {
    this.#db = db
    this.#options = options
    let round = 0
    this.#presence = new Loop({
      interval: options.interval,
      run: async () => {
        await this.#see()
        if (round++ % ROUNDS === 0) {
          await db.query(expireSocketIoSessions(db.schema, options.maxAge))
        }
        return undefined
      },
      onError: (error) => options.onError(error),
    })
    this.#presence.start()
  }

  /** Saves a session soon; `closed` when its connection has ended. Reads it before it returns. */
  save(namespace: string, session: StoredSession, closed: boolean): void {
    const text = encodeValue(session).toString('base64')
    this.#change(session.pid, { namespace, session: text, closed })
  }

  /** Removes a session: its client has left for good. */
  drop(namespace: string, pid: string): void {
    this.#change(pid, { namespace, session: undefined, closed: true })
  }

  /** Takes a session over from wherever it is; `undefined` where there is none, or its time is over. */
  async take(namespace: string, pid: string): Promise<StoredSession | undefined> {
    const { server, maxAge } = this.#options
    await this.#writing
    await ensureTables(this.#db)
    const statement = takeSocketIoSession(this.#db.schema, server, pid, namespace, maxAge)
    const [row] = await this.#db.query(statement)
    if (row === undefined) return undefined
    return decodeValue(Buffer.from(row.session, 'base64')) as StoredSession
  }

  /** Saves what waits, and ends. */
  async close(): Promise<void> {
    await this.#presence.stop()
    await this.#writing
  }

  #change(pid: string, change: Change): void {
    this.#changes.set(pid, change)
    this.#writing ??= this.#write()
  }

  async #write(): Promise<void> {
    // All that the sockets of this turn of the event loop do, such as setting their data when they connect.
    await new Promise((resolve) => setImmediate(resolve))
    while (this.#changes.size > 0) {
      const changes = this.#changes
      this.#changes = new Map()
      // What fails is lost: its client begins a new session.
      await this.#store(changes).catch(this.#options.onError)
    }
    this.#writing = undefined
  }

  async #store(changes: ReadonlyMap<string, Change>): Promise<void> {
    const { schema } = this.#db
    const { server } = this.#options
    const kept = [...changes].flatMap(([pid, { namespace, session, closed }]) =>
      session === undefined ? [] : [{ pid, namespace, session, closed }],
    )
    const dropped = [...changes].flatMap(([pid, { session }]) => (session === undefined ? pid : []))
    // Sessions of a server that was never seen would end with it at once.
    await (this.#seen ?? this.#see())
    if (kept.length > 0) {
      const save = saveSocketIoSessions(
        schema,
        server,
        kept.map(({ pid }) => pid),
        kept.map(({ namespace }) => namespace),
        kept.map(({ session }) => session),
        kept.map(({ closed }) => closed),
      )
      await this.#db.query(save)
    }
    if (dropped.length > 0) await this.#db.query(dropSocketIoSessions(schema, server, dropped))
  }

  #see(): Promise<unknown> {
    const seen = ensureTables(this.#db).then(() =>
      this.#db.query(seeSocketIoServer(this.#db.schema, this.#options.server)),
    )
    this.#seen = seen
    seen.catch(() => {
      if (this.#seen === seen) this.#seen = undefined
    })
    return seen
  }
}
