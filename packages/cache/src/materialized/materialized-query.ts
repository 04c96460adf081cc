/**
 * A query whose rows are kept in a materialised view.
 *
 * States: idle (no I/O yet) -> (first use) -> started: the view is there, and where times or tables are given a loop keeps it fresh
 * -> (drop) -> idle -> ...; any -> closed.
 *
 * Invariants
 * - Whether a refresh is due is decided by the database's clock from what the database knows; of all processes one runs it.
 * - Readers never wait for a refresh, and writers never for each other.
 * - A refresh that fails leaves the rows as they were.
 */
import { type Database, Emitter, Loop, sqlState } from '@howdah/core'
import { cacheError } from '../errors.js'
import { migrations } from '../migrations/index.js'
import { readStatus } from '../sql/materialized-status.js'
import { build, drop, isWhole } from './build.js'
import { type Definition, define } from './definition.js'
import { UNDEFINED_TABLE } from './failure.js'
import { QueryLock } from './lock.js'
import { checkedName, type MaterializedOptions, resolveMaterialized } from './options.js'
import { singleStatement } from './query-text.js'
import { drawTicket, readDue, refreshAfter, refreshIfDue } from './refresh.js'
import { SharedRefresh } from './shared-refresh.js'
import { type MaterializedStatus, statusOf } from './status.js'

/** Events of {@link MaterializedQuery}. */
export interface MaterializedEvents {
  /** This process has refreshed the rows in the background. */
  readonly refresh: readonly []
  /** A refresh in the background failed in this process. It is tried again. */
  readonly error: readonly [error: unknown]
}

/** How often a loop looks for changes at most and at least. */
const SHORTEST_POLL_MS = 50
const LONGEST_POLL_MS = 5_000
/** How often it looks where only age matters, to notice when the view was taken away. */
const IDLE_POLL_MS = 60_000
/** How often it looks while another process refreshes. */
const BUSY_POLL_MS = 500
/** Processes wake at different times, so that most find the work done. */
const SPREAD_MS = 50

/**
 * A query whose rows are computed ahead of time: a materialised view that refreshes itself by age, by changes of tables, or on demand,
 * once for all processes. Reading costs what reading a table costs; while a refresh runs the old rows are read.
 *
 * The SQL is the application's own and runs with the rights of its role: never put a user's input into it. Names without a schema mean
 * what they mean on the pool's connections when the view is made. Row-level security does not apply to those who read the view.
 *
 * The first use of any process makes the view. A process that starts with another SQL text under the same name builds the new view
 * beside the old one and puts it in its place; grants on the old one end with it.
 *
 * @typeParam Row - what a row looks like, as your driver parses it
 *
 * @example
 * ```ts
 * import { MaterializedQuery } from '@howdah/cache'
 * import { Database } from '@howdah/core'
 * import { Pool } from 'pg'
 *
 * const db = Database.from(new Pool())
 * const sales = new MaterializedQuery<{ product: number; sold: number }>(
 *   db,
 *   'sales',
 *   'select product, count(*)::int as sold from public.orders group by product',
 *   { unique: 'product', refreshOn: ['orders'], refreshEvery: '1h' },
 * )
 * const rows = await sales.rows()
 * await sales.close()
 * ```
 */
export class MaterializedQuery<Row = Record<string, unknown>> {
  readonly #definition: Definition
  readonly #lock: QueryLock
  readonly #events = new Emitter<MaterializedEvents>()
  readonly #loop: Loop | undefined
  readonly #refreshes: SharedRefresh
  #started: Promise<void> | undefined
  #closing: Promise<void> | undefined

  /**
   * The view, quoted and with its schema, for SQL of your own: joins, filters, order. It is there once `start()` has resolved. Rows
   * of a materialised view have no order of their own.
   */
  readonly view: string

  /**
   * Checks its arguments; does no I/O.
   *
   * @param name - unique in the schema: two queries with different SQL under one name replace each other
   * @throws {@link HowdahError} CACHE_INVALID_OPTION, CORE_INVALID_DURATION; CACHE_MATERIALIZED_INVALID when the SQL is several
   * statements or has parameters
   */
  constructor(db: Database, name: string, sql: string, options: MaterializedOptions) {
    const resolved = resolveMaterialized(options)
    if (db.tenantId !== undefined) {
      throw cacheError(
        'CACHE_INVALID_OPTION',
        'A materialised query cannot be of one tenant: everyone reads the rows of its view. Make it on the database that tenant() was called on.',
      )
    }
    this.#definition = define(db, checkedName(name), singleStatement(sql), resolved)
    this.#lock = new QueryLock(this.#definition)
    this.#refreshes = new SharedRefresh(
      () => drawTicket(this.#definition),
      (ticket) => this.#refreshAfter(ticket),
    )
    this.view = this.#definition.view
    if (resolved.every !== null || resolved.tables.length > 0) {
      this.#loop = new Loop({
        interval: this.#poll(),
        jitter: 0,
        run: () => this.#round(),
        onError: (error) => this.#events.emit('error', error),
      })
    }
  }

  /**
   * Makes the view unless it is there, and begins to keep it fresh. Every other method does so too; call it where you only use
   * {@link MaterializedQuery.view}.
   *
   * @throws {@link HowdahError} CACHE_MATERIALIZED_FAILED when the server refuses the SQL or the unique columns are not unique
   * @throws {@link HowdahError} CACHE_MATERIALIZED_UNKNOWN_TABLE, CACHE_MATERIALIZED_FORBIDDEN, CACHE_MATERIALIZED_IN_USE,
   * CACHE_MATERIALIZED_BUSY, CACHE_CLOSED
   */
  start(): Promise<void> {
    if (this.#started === undefined) {
      const started = this.#start()
      this.#started = started
      started.catch(() => {
        if (this.#started === started) this.#started = undefined
      })
    }
    return this.#started
  }

  /**
   * Reads all rows, as the last refresh left them, in no order.
   *
   * @throws {@link HowdahError} as {@link MaterializedQuery.start}
   */
  async rows(): Promise<Row[]> {
    this.#lock.assertOpen()
    await this.start()
    try {
      return await this.#read()
    } catch (error) {
      if (sqlState(error) !== UNDEFINED_TABLE) throw error
      // Another process dropped it.
      await this.#restart()
      return await this.#read()
    }
  }

  /**
   * Resolves after a refresh that began after this call, whoever ran it: calls that come while one runs share the next one, in
   * this process and across processes.
   *
   * @throws {@link HowdahError} CACHE_MATERIALIZED_FAILED when that refresh fails; the rows stay as they were
   * @throws {@link HowdahError} as {@link MaterializedQuery.start}
   */
  async refresh(): Promise<void> {
    this.#lock.assertOpen()
    await this.start()
    await this.#refreshes.call()
  }

  /** Tells how old the rows are, and how the last refresh went. Makes nothing: before the first use anywhere nothing is known. */
  async status(): Promise<MaterializedStatus> {
    const { db, name } = this.#definition
    this.#lock.assertOpen()
    await db.migrator.ensure(migrations)
    const [row] = await db.query(readStatus(db.schema, name))
    return statusOf(row)
  }

  /**
   * Removes the view and the triggers. Processes that use the query afterwards make it anew; those that only keep it fresh do not.
   *
   * @throws {@link HowdahError} CACHE_MATERIALIZED_IN_USE when other views depend on it, CACHE_MATERIALIZED_FORBIDDEN,
   * CACHE_MATERIALIZED_BUSY, CACHE_CLOSED
   */
  async drop(): Promise<void> {
    this.#lock.assertOpen()
    await this.#loop?.stop()
    await this.#started?.catch(() => {})
    this.#started = undefined
    await this.#definition.db.migrator.ensure(migrations)
    await drop(this.#definition, this.#lock)
  }

  /** Calls back on each such event and returns the function that ends that. */
  on<Name extends keyof MaterializedEvents & string>(
    name: Name,
    listener: (...args: MaterializedEvents[Name]) => void,
  ): () => void {
    return this.#events.on(name, listener)
  }

  /** Ends the background work of this process, cancelling a refresh it runs. The view stays. */
  close(): Promise<void> {
    this.#closing ??= (async () => {
      const stopped = this.#loop?.stop()
      await this.#lock.close()
      await stopped
    })()
    return this.#closing
  }

  /** Closes at the end of an `await using` block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #start(): Promise<void> {
    this.#lock.assertOpen()
    await this.#definition.db.migrator.ensure(migrations)
    await build(this.#definition, this.#lock)
    if (this.#closing === undefined) this.#loop?.start()
  }

  #restart(): Promise<void> {
    this.#started = undefined
    return this.start()
  }

  async #refreshAfter(ticket: bigint): Promise<void> {
    if (await refreshAfter(this.#definition, this.#lock, ticket)) return
    // Another process dropped it; what is built now is fresh.
    await this.#restart()
  }

  #read(): Promise<Row[]> {
    // Without a name: a prepared statement would not outlive a view that is replaced by one with other columns.
    const text = `select * from ${this.view}`
    return this.#definition.db.query<Row>({ name: '', text, values: [] })
  }

  /** One look at what is due. Answers how long to wait for the next. */
  async #round(): Promise<number> {
    const definition = this.#definition
    const due = await readDue(definition)
    // Dropped: made again by whoever uses it.
    if (due === undefined) return this.#poll()
    const ours = due.shape === definition.shape && due.tracked === definition.tracked
    // What a newer version of the application made is not for us to mend.
    if (!isWhole(definition, due) && ours) await build(definition, this.#lock)
    if (due.wait === 0 && (await refreshIfDue(definition, this.#lock))) {
      this.#events.emit('refresh')
      return 0
    }
    // Another process refreshes now.
    const wait = due.wait === 0 ? BUSY_POLL_MS : (due.wait ?? this.#poll())
    return Math.min(wait, this.#poll()) + Math.random() * SPREAD_MS
  }

  #poll(): number {
    const { tables, debounce } = this.#definition
    if (tables.length === 0) return IDLE_POLL_MS
    return Math.min(Math.max(debounce, SHORTEST_POLL_MS), LONGEST_POLL_MS)
  }
}
