/**
 * One database as every package sees it.
 *
 * Invariants
 * - There is one Database per pool and schema in the process, so all primitives on it share one hub, one migrator and one
 *   coalescer, however often `from` is called.
 * - The pool stays the application's: we never end it and hold a connection of it only for a transaction or a stream.
 * - No session state: nothing is SET, LISTENed or PREPAREd on a pooled connection beyond named statements.
 */
import { resolveClient, type TransactionHandle } from './clients/resolve.js'
import { Coalescer } from './coalescer/coalescer.js'
import type { Driver } from './drivers/driver.js'
import { pgliteDriver } from './drivers/pglite.js'
import { poolDriver } from './drivers/pool.js'
import { HowdahError } from './errors.js'
import { Hub } from './hub/hub.js'
import { ident } from './ident.js'
import { Migrator } from './migrator/migrator.js'
import {
  conflictingOption,
  type DatabaseOptions,
  type ResolvedDatabaseOptions,
  resolveDatabaseOptions,
} from './options.js'
import type { PGliteLike, PoolLike } from './queryable.js'
import type { Statement } from './statement.js'
import { assertTenantId, joinAsTenant, tenantDriver } from './tenant.js'
import { tracer } from './trace.js'
import { Transaction } from './transaction.js'

/** What a primitive can be given as its database: the application's pool, a PGlite, or a {@link Database}. */
export type DatabaseSource = PoolLike | PGliteLike | Database

/** Options of {@link Database.iterate}. */
export interface IterateOptions {
  /** Rows held in memory at a time. @defaultValue `1000` */
  readonly batchSize?: number | undefined
}

/** What makes a {@link Database} the view that one tenant has of another. */
interface TenantScope {
  readonly parent: Database
  readonly tenantId: string
}

const shared = new WeakMap<object, Map<string, Database>>()
const queryTracer = tracer('@howdah/core:query')

/**
 * A database that the Howdah packages share. Primitives make it from the pool they are given; make it yourself to choose a
 * schema, or to run transactions that all of them join.
 *
 * @example
 * ```ts
 * import { Database } from '@howdah/core'
 * import { Pool } from 'pg'
 *
 * const pool = new Pool({ connectionString: process.env['DATABASE_URL'] })
 * const db = Database.from(pool, { schema: 'app_howdah' })
 * await db.transaction(async (tx) => {
 *   await tx.query('select 1')
 * })
 * await db.close()
 * ```
 */
export class Database {
  readonly #driver: Driver
  readonly #forget: () => void
  #coalescer: Coalescer | undefined
  #closing: Promise<void> | undefined

  /** The options this database was made with, defaults filled in. */
  readonly options: ResolvedDatabaseOptions
  /** Quoted name of the schema, as statements take it. */
  readonly schema: string
  /** The process's one `LISTEN` connection to this database. */
  readonly hub: Hub
  /** Brings the packages' tables up to date. */
  readonly migrator: Migrator
  /** The tenant that statements run as; `undefined` for a database of no tenant. */
  readonly tenantId: string | undefined

  private constructor(
    driver: Driver,
    options: ResolvedDatabaseOptions,
    forget: () => void,
    scope?: TenantScope,
  ) {
    this.#driver = driver
    this.#forget = forget
    this.options = options
    this.schema = ident(options.schema)
    this.hub = scope?.parent.hub ?? new Hub(this, driver)
    this.migrator = scope?.parent.migrator ?? new Migrator(this, driver)
    this.tenantId = scope?.tenantId
  }

  /**
   * Answers the one Database for a pool and schema, making it at the first call. Does no I/O.
   *
   * @throws {@link HowdahError} CORE_INVALID_SOURCE when the source is no pool, PGlite or Database
   * @throws {@link HowdahError} CORE_INVALID_OPTION when an option is not valid
   * @throws {@link HowdahError} CORE_CONFLICTING_OPTIONS when the database exists with another value of an option
   */
  static from(source: DatabaseSource, options: DatabaseOptions = {}): Database {
    if (source instanceof Database) {
      source.#assertSame(options)
      return source
    }
    const resolved = resolveDatabaseOptions(options)
    const driver = driverFor(source)
    let bySchema = shared.get(source)
    if (bySchema === undefined) {
      bySchema = new Map()
      shared.set(source, bySchema)
    }
    const known = bySchema.get(resolved.schema)
    if (known !== undefined) {
      known.#assertSame(options)
      return known
    }
    const registry = bySchema
    const db = new Database(driver, resolved, () => registry.delete(resolved.schema))
    registry.set(resolved.schema, db)
    return db
  }

  /** Which kind of client library answers: `'pg'` for pools, `'pglite'` for the in-process database. */
  get kind(): 'pg' | 'pglite' {
    return this.#driver.kind
  }

  /** Batches the concurrent calls of all primitives on this database. Made at first use. */
  get coalescer(): Coalescer {
    this.#coalescer ??= new Coalescer()
    return this.#coalescer
  }

  /**
   * Runs one statement: on the given transaction, else on any connection of the pool.
   *
   * @throws {@link HowdahError} CORE_UNKNOWN_CLIENT when the client is no transaction that we know
   */
  async query<Row>(statement: Statement<Row>, client?: TransactionHandle): Promise<Row[]> {
    const context = () => ({ target: statement.name })
    return queryTracer.run(context, async () => {
      if (client === undefined) {
        return (await this.#driver.query(statement, this.options.prepare)) as Row[]
      }
      const { text, values, name } = statement
      const connection = resolveClient(client)
      if (this.tenantId !== undefined && !this.#opened(client)) {
        await joinAsTenant(connection, this.tenantId)
      }
      // The transaction's library prepares by name as the pool does, or takes no notice of it.
      const query = { text, values: [...values] }
      const prepared = this.options.prepare ? { ...query, name } : query
      return (await connection.query(prepared)).rows as Row[]
    })
  }

  /**
   * Runs `fn` in a transaction on one connection of the pool: commits when it resolves, rolls back when it throws. Doorbells and
   * other after-commit work ring once the commit is acknowledged.
   *
   * @throws {@link HowdahError} CORE_TRANSACTION_ABORTED when a failed statement's error was caught inside `fn`, so that
   * the server rolled everything back
   */
  async transaction<T>(fn: (tx: Transaction) => Promise<T>): Promise<T> {
    let tx: Transaction | undefined
    try {
      const result = await this.#driver.transaction((connection) => {
        tx = new Transaction(connection, this.tenantId)
        return runTransaction(tx, fn)
      })
      tx?.settle(true)
      return result
    } catch (error) {
      tx?.settle(false)
      throw error
    }
  }

  /**
   * Calls back once the write that is being made has committed: at once without a client, after the commit of a
   * {@link Transaction}. Answers `false` for transactions of other libraries, whose end we cannot see.
   */
  afterCommit(client: TransactionHandle | undefined, callback: () => void): boolean {
    if (client === undefined) callback()
    else if (client instanceof Transaction) client.afterCommit(callback)
    else return false
    return true
  }

  /**
   * Streams the rows of a large result in bounded memory, in the statement's order, through a cursor that holds one connection
   * until the iteration ends. Stopping early closes the cursor. A `statement_timeout` covers the whole stream. On PGlite the
   * statement must be a `select` or `values`, and other statements run between the batches.
   *
   * @example
   * ```ts
   * import { Database, defineStatement } from '@howdah/core'
   * import { Pool } from 'pg'
   *
   * const everyUser = defineStatement<[], { id: string }>('users.all', () => 'select id::text from app.users', () => [])
   * const db = Database.from(new Pool())
   * for await (const user of db.iterate(everyUser(db.schema), { batchSize: 500 })) user.id.trim()
   * ```
   *
   * @throws {@link HowdahError} CORE_INVALID_OPTION when `batchSize` is no positive whole number
   */
  async *iterate<Row>(
    statement: Statement<Row>,
    { batchSize = 1000 }: IterateOptions = {},
  ): AsyncGenerator<Row, void, void> {
    if (!Number.isSafeInteger(batchSize) || batchSize < 1) {
      throw new HowdahError('CORE_INVALID_OPTION', 'batchSize must be a positive whole number.')
    }
    for await (const rows of this.#driver.iterate(statement, batchSize)) yield* rows as Row[]
  }

  /**
   * Answers this database as one tenant sees it: each statement and transaction, also one given as `client`, runs with the setting
   * `howdah.tenant`, which policies made by `tenantPolicy()` compare. A statement outside a transaction becomes a
   * transaction, of four round trips. Calls of different tenants never share a statement.
   *
   * Hub and migrator are the parent's, and closing the tenant's database leaves them open. It is cheap to make, for a request or
   * for good. Howdah's own tables carry no policy: give tenants namespaces or names of their own there.
   *
   * @throws {@link HowdahError} CORE_INVALID_OPTION when the id is empty, too long or holds NUL
   * @throws {@link HowdahError} CORE_TENANT_CONFLICT when this is a tenant's database already
   *
   * @example
   * ```ts
   * import { Database } from '@howdah/core'
   * import { Pool } from 'pg'
   *
   * const acme = Database.from(new Pool()).tenant('acme')
   * await acme.transaction(async (tx) => {
   *   await tx.query('insert into invoice (tenant_id, cents) values ($1, $2)', ['acme', 500])
   * })
   * ```
   */
  tenant(id: string): Database {
    if (this.tenantId !== undefined) {
      throw new HowdahError(
        'CORE_TENANT_CONFLICT',
        'This is the database of a tenant already. Call tenant() on the one it was made from.',
      )
    }
    assertTenantId(id)
    const scope = { parent: this, tenantId: id }
    return new Database(tenantDriver(this.#driver, id), this.options, () => {}, scope)
  }

  /** @internal Options with which `pg` in another thread would connect like the pool; `undefined` where there are none to hand over. */
  async connectionOptions(): Promise<Record<string, unknown> | undefined> {
    return this.#driver.connectionOptions?.()
  }

  /** Waits for coalesced calls, ends the hub and forgets the pool. The pool itself stays open: it is the application's. */
  close(): Promise<void> {
    this.#closing ??= (async () => {
      this.#forget()
      const hub = this.tenantId === undefined ? this.hub : undefined
      await Promise.all([this.#coalescer?.close(), hub?.close()])
    })()
    return this.#closing
  }

  /** Closes at the end of an `await using` block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** Tells whether the transaction was opened for our tenant, so that it need not be made the tenant's. */
  #opened(client: TransactionHandle): boolean {
    return client instanceof Transaction && client.tenantId === this.tenantId
  }

  #assertSame(options: DatabaseOptions): void {
    const name = conflictingOption(this.options, options)
    if (name === undefined) return
    throw new HowdahError(
      'CORE_CONFLICTING_OPTIONS',
      `This pool is in use with another value of '${name}'. Make the Database once with Database.from(pool, options) and pass it to every primitive.`,
    )
  }
}

async function runTransaction<T>(tx: Transaction, fn: (tx: Transaction) => Promise<T>): Promise<T> {
  try {
    return await fn(tx)
  } finally {
    tx.end()
  }
}

function driverFor(source: unknown): Driver {
  const candidate = source as (Partial<PGliteLike> & Partial<PoolLike>) | null | undefined
  if (typeof candidate?.query === 'function') {
    if (typeof candidate.listen === 'function' && 'waitReady' in candidate) {
      return pgliteDriver(candidate as PGliteLike)
    }
    if (typeof candidate.connect === 'function') return poolDriver(candidate as PoolLike)
  }
  throw new HowdahError(
    'CORE_INVALID_SOURCE',
    'Pass the pg.Pool your application uses, a PGlite, or a Howdah Database.',
  )
}
