/**
 * Sessions in one table, for any framework.
 *
 * States of an id: unknown -> live (saved) -> destroyed (tombstone) or expired -> unknown (pruned). Invariants:
 * - the id itself never reaches the database, only its SHA-256: who reads the table can impersonate nobody;
 * - the database's clock alone decides what is live;
 * - a destroyed session stays destroyed: a save from a request that loaded it earlier changes nothing, in whatever order
 *   the two arrive. Only `revive` writes over a tombstone.
 */
import {
  Database,
  type Duration,
  Emitter,
  Loop,
  parseDuration,
  type TransactionHandle,
  tracer,
} from '@howdah/core'
import { decodeSession, encodeSession, hashId } from './codec.js'
import { migrations } from './migrations/migrations.js'
import {
  type ResolvedSessionsOptions,
  resolveSessionsOptions,
  type SessionsOptions,
  sessionError,
} from './options.js'
import { clearSessions } from './sql/clear-sessions.js'
import { countSessions } from './sql/count-sessions.js'
import { destroySession } from './sql/destroy-session.js'
import { listSessionIds } from './sql/list-session-ids.js'
import { listSessions } from './sql/list-sessions.js'
import { loadSession, type SessionRow } from './sql/load-session.js'
import { pruneSessions } from './sql/prune-sessions.js'
import { saveSession } from './sql/save-session.js'
import { touchSession } from './sql/touch-session.js'

/** A session that was found. */
export interface LoadedSession<Data> {
  readonly data: Data
  /** When it ends, by the database's clock. */
  readonly expiresAt: Date
  /** Whether it was extended since its data was saved. */
  readonly touched: boolean
}

/** When a session ends. */
export interface SessionLifetime {
  /** How long it lives from now. @defaultValue the `ttl` of {@link SessionsOptions} */
  readonly ttl?: Duration | undefined
  /** The moment it ends, instead of `ttl`. */
  readonly expiresAt?: Date | undefined
}

/** Lets a write commit or roll back with the caller's transaction. */
export interface SessionWriteOptions {
  readonly client?: TransactionHandle | undefined
}

/** Options of {@link Sessions.save}. */
export interface SaveSessionOptions extends SessionLifetime, SessionWriteOptions {
  /** Saves also where the session has been destroyed, as a login that starts over does. @defaultValue `false` */
  readonly revive?: boolean | undefined
}

/** Events of {@link Sessions}. */
export interface SessionsEvents {
  /** Background work failed and will be tried again. */
  error: readonly [error: unknown]
  /** So many expired rows were removed. */
  prune: readonly [rows: number]
}

/** Rows of one pruning statement: short enough to hold no lock anyone notices. */
const PRUNE_BATCH = 1000

const loadTracer = tracer('@howdah/session:load')
const saveTracer = tracer('@howdah/session:save')

/**
 * Sessions by id, for any framework: load, save, touch, destroy. Express applications use `PgSessionStore` of
 * `@howdah/session/express`, which is made of this.
 *
 * @example
 * ```ts
 * import { Sessions } from '@howdah/session'
 * import { Pool } from 'pg'
 *
 * const sessions = new Sessions({ pool: new Pool(), ttl: '7d' })
 * await sessions.save('an unguessable id', { userId: 42 })
 * const session = await sessions.load<{ userId: number }>('an unguessable id')
 * session?.data.userId // 42
 * await sessions.destroy('an unguessable id')
 * await sessions.close()
 * ```
 */
export class Sessions {
  readonly #db: Database
  readonly #options: ResolvedSessionsOptions
  readonly #events = new Emitter<SessionsEvents>()
  readonly #pruning: Loop | undefined
  #closed = false

  /**
   * @throws {@link HowdahError} SESSION_INVALID_OPTION or CORE_INVALID_DURATION when an option is not valid,
   * CORE_INVALID_SOURCE when `pool` is none
   */
  constructor(options: SessionsOptions) {
    this.#options = resolveSessionsOptions(options)
    this.#db = Database.from(options.pool)
    const interval = this.#options.pruneInterval
    if (interval !== false) {
      this.#pruning = new Loop({
        interval,
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
   * Answers the session, or `undefined` when it is unknown, expired or destroyed.
   *
   * @throws {@link HowdahError} SESSION_CORRUPT when the stored text is not what was saved
   */
  load<Data = Record<string, unknown>>(id: string): Promise<LoadedSession<Data> | undefined> {
    return loadTracer.run(
      () => ({ target: 'session' }),
      async () => {
        const idHash = hashId(id)
        await this.#ready()
        const [row] = await this.#db.query(loadSession(this.#db.schema, idHash))
        return row === undefined ? undefined : loaded<Data>(row)
      },
    )
  }

  /**
   * Stores the whole session, replacing what was there. Answers `false` and changes nothing where the session has been
   * destroyed, unless `revive` is set.
   *
   * @throws {@link HowdahError} SESSION_TOO_LARGE when the JSON is longer than `maxBytes`
   * @throws {@link HowdahError} SESSION_INVALID_DATA when the data is no JSON
   */
  save(id: string, data: unknown, options: SaveSessionOptions = {}): Promise<boolean> {
    return saveTracer.run(
      () => ({ target: 'session' }),
      async () => {
        // Taken before the first wait: what the caller changes afterwards belongs to the next save.
        const text = encodeSession(data, this.#options.maxBytes)
        const { revive = false, client } = options
        const save = { idHash: hashId(id), data: text, revive, ...this.#lifetime(options) }
        await this.#ready()
        const rows = await this.#db.query(saveSession(this.#db.schema, save), client)
        return rows.length > 0
      },
    )
  }

  /**
   * Extends the session without its data and answers whether it is live. Writes only where that moves the session's end by
   * at least a tenth of its life.
   */
  async touch(id: string, options: SessionLifetime & SessionWriteOptions = {}): Promise<boolean> {
    const touch = { idHash: hashId(id), ...this.#lifetime(options) }
    await this.#ready()
    const rows = await this.#db.query(touchSession(this.#db.schema, touch), options.client)
    return rows[0]?.live === true
  }

  /** Ends the session. Once this has resolved nobody can load it, and no save under way brings it back. */
  async destroy(id: string, { client }: SessionWriteOptions = {}): Promise<void> {
    const idHash = hashId(id)
    await this.#ready()
    const statement = destroySession(this.#db.schema, idHash, this.#options.tombstone)
    await this.#db.query(statement, client)
  }

  /** Ends every session. */
  async clear({ client }: SessionWriteOptions = {}): Promise<void> {
    await this.#ready()
    await this.#db.query(clearSessions(this.#db.schema, this.#options.tombstone), client)
  }

  /** Reads every live session into memory, in no meaningful order. */
  async all<Data = Record<string, unknown>>(): Promise<LoadedSession<Data>[]> {
    await this.#ready()
    const rows = await this.#db.query(listSessions(this.#db.schema))
    return rows.map((row) => loaded<Data>(row))
  }

  /** Lists the live sessions by the SHA-256 of their ids, in hex: the ids themselves are not kept. */
  async ids(): Promise<string[]> {
    await this.#ready()
    const rows = await this.#db.query(listSessionIds(this.#db.schema))
    return rows.map((row) => row.id_hash)
  }

  /** Counts the live sessions. */
  async count(): Promise<number> {
    await this.#ready()
    const [row] = await this.#db.query(countSessions(this.#db.schema))
    return Number(row?.n ?? 0)
  }

  /** Removes one batch of expired rows and answers how many. Runs by itself every `pruneInterval`. */
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
    await this.#pruning?.stop()
  }

  /** Closes at the end of an `await using` block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #ready(): Promise<void> {
    await this.#migrated()
    if (!this.#closed) this.#pruning?.start()
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

  #lifetime({ ttl, expiresAt }: SessionLifetime): { ttl: number; expiresAt: number | null } {
    if (expiresAt !== undefined && !isTime(expiresAt)) {
      throw sessionError('SESSION_INVALID_OPTION', 'expiresAt must be a valid Date.')
    }
    return {
      ttl: ttl === undefined ? this.#options.ttl : parseDuration(ttl, 'ttl'),
      expiresAt: expiresAt === undefined ? null : expiresAt.getTime(),
    }
  }
}

function isTime(value: unknown): value is Date {
  return value instanceof Date && !Number.isNaN(value.getTime())
}

function loaded<Data>(row: SessionRow): LoadedSession<Data> {
  return {
    data: decodeSession(row.data) as Data,
    expiresAt: new Date(row.expires_at),
    touched: row.touched,
  }
}
