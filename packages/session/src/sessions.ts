/**
 * Sessions for any framework.
 *
 * States of an id: unknown -> live (created) -> unknown (destroyed, revoked, regenerated, expired). Invariants:
 * - the id itself never reaches the database, nor a log, a trace or an error; only its SHA-256 does: who reads the table can impersonate nobody;
 * - the database's clock alone decides what is live;
 * - only `create` makes a session. Whatever is done with one that was loaded and has ended since does nothing, in whatever order the two arrive;
 * - of two saves of one session that change different keys both count.
 */
import {
  Database,
  Emitter,
  Loop,
  type MetricReader,
  type MetricSource,
  parseDuration,
  tracer,
} from '@howdah/core'
import { type Device, deviceColumns } from './device.js'
import { sessionError } from './errors.js'
import { hashId, newId } from './id.js'
import { assertSize, encodeData } from './json.js'
import { migrations } from './migrations/index.js'
import type { CallbackStore } from './moving/callback-store.js'
import { type ImportCounts, type ImportOptions, importSessions } from './moving/import-sessions.js'
import { OpenSession } from './open-session.js'
import {
  type ResolvedSessionsOptions,
  resolveSessionsOptions,
  ringOf,
  type SessionsOptions,
} from './options.js'
import { type Contents, type End, SessionRecords } from './records/session-records.js'
import { type Reencrypted, reencrypt } from './reencrypt.js'
import { scanAll } from './scan.js'
import type {
  CreateSessionOptions,
  RegenerateSessionOptions,
  SaveSessionOptions,
  Session,
  SessionClientOptions,
  SessionLifetime,
  SessionStats,
  SessionsEvents,
  UserSession,
} from './session.js'
import { sessionReader } from './session-metrics.js'
import { endAllSessions, endOldestSessions } from './sql/end-sessions.js'
import {
  countSessions,
  listByUser,
  pruneSessions,
  readSessionStats,
  revoke,
  revokeAll,
  scanHashes,
} from './sql/operators.js'
import { userColumn } from './user.js'
import { userSession } from './user-session.js'

/** Rows of one pruning statement: short enough to hold no lock anyone notices. */
const PRUNE_BATCH = 1000

const loadTracer = tracer('@howdah/session:load')
const saveTracer = tracer('@howdah/session:save')
const TARGET = () => ({ target: 'session' })

/**
 * Sessions by id, for any framework: create, load, save, regenerate, destroy, and by user: list and revoke. The adapters for Express, Fastify and Hono are
 * made of this.
 *
 * @example
 * ```ts
 * import { Sessions } from '@howdah/session'
 * import { Pool } from 'pg'
 *
 * const sessions = new Sessions<{ userId: string; theme?: string }>({ pool: new Pool(), ttl: '7d' })
 * const { id } = await sessions.create({ userId: '42' })
 * const session = await sessions.load(id)
 * if (session !== undefined) {
 *   session.data.theme = 'dark'
 *   await sessions.save(session)
 * }
 * await sessions.revokeAll('42')
 * await sessions.close()
 * ```
 */
export class Sessions<Data extends object = Record<string, unknown>> implements MetricSource {
  readonly #db: Database
  readonly #options: ResolvedSessionsOptions
  readonly #records: SessionRecords
  readonly #events = new Emitter<SessionsEvents>()
  readonly #pruning: Loop | undefined
  #ready = false
  #closed = false

  /**
   * @throws {@link HowdahError} SESSION_INVALID_OPTION or CORE_INVALID_DURATION when an option is not valid,
   * CORE_INVALID_SOURCE when `pool` is none
   */
  constructor(options: SessionsOptions<Data>) {
    this.#options = resolveSessionsOptions(options)
    this.#db = Database.from(options.pool)
    const { name, absoluteTimeout, rolling, touchEvery, maxBytes, pruneInterval } = this.#options
    this.#records = new SessionRecords(this.#db, {
      rules: { name, longest: absoluteTimeout, rolling },
      ring: ringOf(this.#options),
      touchEvery,
      maxBytes,
    })
    if (pruneInterval !== false) {
      this.#pruning = new Loop({
        interval: pruneInterval,
        run: async () => ((await this.prune()) === PRUNE_BATCH ? 0 : undefined),
        onError: (error) => this.#events.emit('error', error),
      })
    }
  }

  /** Adds a listener and returns the function that removes it. */
  on<Name extends keyof SessionsEvents>(
    name: Name,
    listener: (...args: SessionsEvents[Name]) => void,
  ): () => void {
    return this.#events.on(name, listener)
  }

  /**
   * Begins a session. Once this has resolved, every process finds it.
   *
   * @throws {@link HowdahError} SESSION_INVALID_DATA when the data is no object that JSON can say, SESSION_TOO_LARGE when its JSON is longer than `maxBytes`,
   * SESSION_INVALID_USER when `userId` is no id, SESSION_INVALID_ID when an id was given and is none
   */
  async create(data: Data, options: CreateSessionOptions = {}): Promise<Session<Data>> {
    const { id = newId(), device, client } = options
    // Taken before the first wait: what the caller changes afterwards belongs to the next save.
    const contents = this.#contents(hashId(id), data, options, device)
    await this.#open()
    const stored = await this.#records.put(contents, client)
    await this.#limit(stored.user, client)
    return new OpenSession(id, stored, data)
  }

  /**
   * Answers the session, or `undefined` when it is unknown, expired or has been ended.
   *
   * @throws {@link HowdahError} SESSION_INVALID_ID, SESSION_CORRUPT when the stored text is not what was saved, SESSION_UNREADABLE when no key opens it
   */
  load(id: string, { client }: SessionClientOptions = {}): Promise<Session<Data> | undefined> {
    return loadTracer.run(TARGET, async () => {
      const hash = hashId(id)
      if (!this.#ready) await this.#open()
      const stored = await this.#records.read(hash, client)
      return stored && OpenSession.of<Data>(id, stored)
    })
  }

  /**
   * Stores what was changed in the session since it was loaded or saved last, by its top-level keys: what others saved meanwhile stays, except for keys that both
   * changed, where the later save counts. Where nothing was changed this is a {@link Sessions.touch}. Answers `false` where the session has ended, and nothing is
   * stored.
   *
   * @throws {@link HowdahError} as {@link Sessions.create}
   */
  save(session: Session<Data>, options: SaveSessionOptions = {}): Promise<boolean> {
    return saveTracer.run(TARGET, async () => {
      const open = OpenSession.from(session)
      const contents = this.#contents(open.ref, session.data, options)
      const { stored } = open
      if (contents.text === stored.text && contents.user === stored.user) {
        return this.touch(session, options)
      }
      await this.#open()
      const saved = await this.#records.save(contents, stored, options.client)
      if (saved === undefined) return false
      open.settle(saved)
      if (saved.user !== stored.user) await this.#limit(saved.user, options.client)
      return true
    })
  }

  /**
   * Prolongs a session, given or by its id, and answers whether it is live. The server is asked only where the end would move by `touchEvery`; until then the
   * answer is by what was loaded.
   *
   * @throws {@link HowdahError} SESSION_INVALID_ID, SESSION_INVALID_OPTION
   */
  async touch(
    session: Session<Data> | string,
    options: SessionLifetime & SessionClientOptions = {},
  ): Promise<boolean> {
    const end = this.#end(options)
    const open = typeof session === 'string' ? undefined : OpenSession.from(session)
    if (open?.ended) return false
    if (open !== undefined && !this.#records.isTouchDue(open.stored, end)) return true
    const hash = open?.ref ?? hashId(session)
    await this.#open()
    const expiresAt = await this.#records.touch({ hash, ...end }, options.client)
    if (expiresAt === undefined) return false
    open?.settle(open.stored.prolonged(expiresAt))
    return true
  }

  /**
   * Gives a session another id, as every login must: who knew the old id is left with nothing. Answers the new session, which begins anew, or `undefined` where the
   * old one has ended. What it holds is `session.data`, saved or not.
   *
   * @throws {@link HowdahError} as {@link Sessions.create}
   */
  async regenerate(
    session: Session<Data>,
    options: RegenerateSessionOptions = {},
  ): Promise<Session<Data> | undefined> {
    const old = OpenSession.from(session)
    const id = newId()
    const contents = this.#contents(hashId(id), session.data, options, options.device)
    await this.#open()
    const stored = await this.#records.regenerate(old.ref, contents, options.client)
    if (options.client === undefined) old.end()
    if (stored === undefined) return undefined
    await this.#limit(stored.user, options.client)
    return new OpenSession(id, stored, session.data)
  }

  /** Ends a session, given or by its id. Once this has resolved nobody can load it, and no save under way brings it back. Answers whether it was live. */
  async destroy(
    session: Session<Data> | string,
    { client }: SessionClientOptions = {},
  ): Promise<boolean> {
    const open = typeof session === 'string' ? undefined : OpenSession.from(session)
    await this.#open()
    const ended = await this.#records.end(open?.ref ?? hashId(session), client)
    if (open !== undefined && client === undefined) open.end()
    return ended
  }

  /** Lists the live sessions of a user, the newest first. */
  async listByUser(userId: string | number | bigint): Promise<UserSession[]> {
    const user = requiredUser(userId)
    await this.#open()
    const rows = await this.#db.query(listByUser(this.#db.schema, this.#options.name, user))
    return rows.map(userSession)
  }

  /**
   * Ends the session that `ref` names, effective for every process at its next request. With `userId`, only where it is that user's: give it whenever `ref` comes
   * from a browser. Answers whether there was one.
   */
  async revoke(
    ref: string,
    {
      userId,
      client,
    }: { readonly userId?: string | number | bigint | undefined } & SessionClientOptions = {},
  ): Promise<boolean> {
    const user = userId === undefined ? null : requiredUser(userId)
    await this.#open()
    const statement = revoke(this.#db.schema, this.#options.name, String(ref), user)
    const [row] = await this.#db.query(statement, client)
    return row?.revoked === true
  }

  /** Ends all sessions of a user, or all but one, effective for every process at its next request. Answers how many. */
  async revokeAll(
    userId: string | number | bigint,
    {
      except,
      client,
    }: { readonly except?: Session<Data> | string | undefined } & SessionClientOptions = {},
  ): Promise<number> {
    const user = requiredUser(userId)
    const kept =
      except === undefined ? null : typeof except === 'string' ? hashId(except) : except.ref
    await this.#open()
    const statement = revokeAll(this.#db.schema, this.#options.name, user, kept)
    const [row] = await this.#db.query(statement, client)
    return Number(row?.revoked ?? 0)
  }

  /** Ends every session. */
  async clear({ client }: SessionClientOptions = {}): Promise<void> {
    await this.#open()
    await this.#db.query(endAllSessions(this.#db.schema, this.#options.name), client)
  }

  /** Reads the data of every live session, in no meaningful order, some at a time. Sessions that begin meanwhile may be missing. */
  async *all(): AsyncGenerator<{
    readonly ref: string
    readonly data: Data
    readonly expiresIn: number
  }> {
    await this.#open()
    const read = (after: string, limit: number) => this.#records.scan(after, limit)
    for await (const stored of scanAll(read, ({ hash }) => hash)) {
      const { ref, data, expiresIn } = OpenSession.of<Data>('', stored)
      yield { ref, data, expiresIn }
    }
  }

  /** Reads the refs of every live session, some at a time: the ids themselves are not kept. */
  async *refs(): AsyncGenerator<string> {
    await this.#open()
    const read = (after: string, limit: number) =>
      this.#db.query(scanHashes(this.#db.schema, this.#options.name, after, limit))
    for await (const { hash } of scanAll(read, (row) => row.hash)) yield hash
  }

  /** Counts the live sessions, one by one; {@link Sessions.stats} estimates where there are many. */
  async count(): Promise<number> {
    await this.#open()
    const [row] = await this.#db.query(countSessions(this.#db.schema, this.#options.name))
    return Number(row?.n ?? 0)
  }

  /** Tells how many sessions there are; as cheap with a million of them as with ten, for it estimates where there are many. */
  async stats(): Promise<SessionStats> {
    await this.#open()
    const [row] = await this.#db.query(readSessionStats(this.#db.schema, this.#options.name))
    return {
      live: Number(row?.live ?? 0),
      ofUsers: Number(row?.users ?? 0),
      expired: Number(row?.expired ?? 0),
      estimated: row?.estimated ?? false,
    }
  }

  /** What `metrics()` of `@howdah/core/metrics` reads. */
  get metricReader(): MetricReader {
    return sessionReader(this.#options.name, () => this.stats())
  }

  /**
   * Encrypts by the first key what another one has encrypted, or none, beside running requests. Run it after a rotation; then the old key can go.
   *
   * @throws {@link HowdahError} SESSION_INVALID_OPTION without `encryption`
   */
  async reencrypt(): Promise<Reencrypted> {
    const { name, ring } = this.#options
    if (ring === undefined) {
      throw sessionError(
        'SESSION_INVALID_OPTION',
        'There is nothing to encrypt with. Give `encryption` the keys.',
      )
    }
    await this.#open()
    return reencrypt(this.#db, name, ring)
  }

  /**
   * Copies the live sessions of another store, with their ids, data, cookies and what is left of their lives, so that nobody is logged out. It may be in use meanwhile,
   * through a mirror. What is here already stays, so a second run adds what is missing.
   *
   * @throws {@link HowdahError} SESSION_INVALID_OPTION when the store does not tell the ids of its sessions; what the store fails with; the reason of `signal`
   */
  async importFrom(store: CallbackStore, options: ImportOptions = {}): Promise<ImportCounts> {
    await this.#open()
    return importSessions(store, options, this.#records, (hash, data, ttl) =>
      this.#contents(hash, data as Data, { ttl }),
    )
  }

  /** Removes one batch of expired sessions and answers how many. Runs by itself every `pruneInterval`. */
  async prune(): Promise<number> {
    await this.#migrated()
    const [row] = await this.#db.query(pruneSessions(this.#db.schema, PRUNE_BATCH))
    const n = row?.n ?? 0
    if (n > 0) this.#events.emit('prune', n)
    return n
  }

  /** Stops the background work and refuses further calls. The pool stays open. */
  async close(): Promise<void> {
    this.#closed = true
    this.#ready = false
    await this.#pruning?.stop()
  }

  /** Closes at the end of an `await using` block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #open(): Promise<void> {
    if (this.#ready) return
    await this.#migrated()
    if (this.#closed) return
    this.#ready = true
    this.#pruning?.start()
  }

  async #migrated(): Promise<void> {
    if (this.#closed) {
      throw sessionError(
        'SESSION_CLOSED',
        'These sessions were closed. Make a new Sessions object.',
      )
    }
    await this.#db.migrator.ensure(migrations)
  }

  #contents(hash: string, data: Data, lifetime: SessionLifetime, device?: Device): Contents {
    const text = encodeData(data)
    assertSize(text, this.#options.maxBytes)
    const user = userColumn(this.#options.userId(data))
    return { hash, text, user, device: deviceColumns(device), ...this.#end(lifetime) }
  }

  #end({ ttl, expiresAt }: SessionLifetime): End {
    if (expiresAt === undefined) {
      return {
        ttl: ttl === undefined ? this.#options.ttl : parseDuration(ttl, 'ttl'),
        expiresAt: null,
      }
    }
    if (expiresAt instanceof Date && !Number.isNaN(expiresAt.getTime())) {
      return { ttl: null, expiresAt: expiresAt.getTime() }
    }
    throw sessionError('SESSION_INVALID_OPTION', 'expiresAt must be a valid Date.')
  }

  async #limit(user: string | null, client: SessionClientOptions['client']): Promise<void> {
    const { name, maxPerUser } = this.#options
    if (maxPerUser === undefined || user === null) return
    const statement = endOldestSessions(this.#db.schema, name, user, maxPerUser)
    const ended = await this.#db.query(statement, client)
    const refs = ended.map(({ hash }) => hash)
    if (refs.length > 0) this.#events.emit('evict', user, refs)
  }
}

/** Without a user it would be everybody's, or nobody's. */
function requiredUser(userId: unknown): string {
  const user = userColumn(userId)
  if (user !== null) return user
  throw sessionError(
    'SESSION_INVALID_USER',
    'Say whose sessions: userId must be a string or a number.',
  )
}
