/**
 * Brings the tables of the packages up to date, in one schema.
 *
 * Invariants
 * - All that one call applies is one transaction: a failure leaves the schema as it was.
 * - Changes to one schema happen one after another, under an advisory lock that ends with the transaction, so it works through
 *   PgBouncer and needs no cleaning up after a crash. Whoever waited for it reads the ledger again.
 * - A step is applied once, and the ledger says with which text.
 * - Nothing waits for a connection of the pool: all of them may be held by transactions that wait for us.
 */
import type { Database } from '../database.js'
import type { Driver } from '../drivers/driver.js'
import { HowdahError } from '../errors.js'
import type { Queryable } from '../queryable.js'
import {
  createLedger,
  deleteLedger,
  insertLedger,
  type LedgerRow,
  ledgerExists,
  lockSchema,
  readLedger,
  schemaExists,
} from '../sql/migrator.js'
import { explainFailure, stepFailed } from './failure.js'
import type { MigrationSet } from './migration.js'
import { allStepsOf, type Steps, stepsOf } from './migration-set.js'
import { pendingSteps } from './plan.js'

/** Where a package's tables stand. */
export interface MigrationStatus {
  readonly package: string
  /** Version of the newest step applied; 0 where none is. */
  readonly current: number
  /** Version of the newest step this release knows. */
  readonly latest: number
  /** Steps still to apply, as `version` and `name`. */
  readonly pending: readonly { readonly version: number; readonly name: string }[]
}

/** The migrator of one {@link Database}; reached as `db.migrator`. */
export class Migrator {
  readonly #db: Database
  readonly #driver: Driver
  readonly #ensured = new Map<string, Promise<void>>()

  /** @internal */
  constructor(db: Database, driver: Driver) {
    this.#db = db
    this.#driver = driver
  }

  /**
   * Makes sure that a package's tables are there before it uses them: applies what is missing, or with `migrate: 'manual'` only checks. One
   * call per process does the work; an attempt that failed is made anew by the next call.
   *
   * @throws {@link HowdahError} CORE_MIGRATION_REQUIRED with `migrate: 'manual'` when steps are missing
   * @throws {@link HowdahError} CORE_MIGRATION_CHANGED, CORE_MIGRATION_TOO_NEW, CORE_MIGRATION_FORBIDDEN, CORE_MIGRATION_FAILED
   */
  ensure(set: MigrationSet): Promise<void> {
    const known = this.#ensured.get(set.package)
    if (known !== undefined) return known
    const attempt = this.#ensure(stepsOf(set))
    this.#ensured.set(set.package, attempt)
    attempt.catch(() => this.#ensured.delete(set.package))
    return attempt
  }

  /**
   * Applies the missing steps of several packages, all or none, and answers those applied in order.
   *
   * @throws {@link HowdahError} as {@link Migrator.ensure}
   */
  async up(sets: readonly MigrationSet[]): Promise<readonly MigrationStatus['pending'][number][]> {
    return this.#apply(allStepsOf(sets))
  }

  /**
   * Takes the steps of a package back, newest first, down to and without `to`; `0` removes everything, with its data.
   *
   * @throws {@link HowdahError} CORE_INVALID_OPTION, CORE_MIGRATION_TOO_NEW, CORE_MIGRATION_FAILED
   */
  async down(set: MigrationSet, { to }: { readonly to: number }): Promise<void> {
    const steps = stepsOf(set)
    if (!Number.isSafeInteger(to) || to < 0) {
      throw new HowdahError('CORE_INVALID_OPTION', 'to must be a version to stay at, or 0.')
    }
    this.#ensured.delete(set.package)
    await this.#locked(async (connection) => {
      const ledger = await this.#ledger(connection, [steps])
      for (const row of ledger.filter(({ version }) => version > to).reverse()) {
        const step = steps.steps[row.version - 1]
        if (step === undefined) {
          throw new HowdahError(
            'CORE_MIGRATION_TOO_NEW',
            `Migration ${row.version} (${row.name}) of '${steps.package}' came with a newer release. Take it back with that one.`,
          )
        }
        await stepFailed(steps, step, async () => {
          for (const text of step.down(this.#db.schema)) await connection.query({ text })
          await connection.query({ text: deleteLedger(this.#db.schema, row) })
        })
      }
    })
  }

  /** Tells for each package which steps are applied and which are missing. Changes nothing. */
  async status(sets: readonly MigrationSet[]): Promise<readonly MigrationStatus[]> {
    const all = allStepsOf(sets)
    const ledger = await this.#connected((connection) => this.#ledger(connection, all))
    return all.map((steps) => ({
      package: steps.package,
      current: Math.max(
        0,
        ...ledger.filter((row) => row.package === steps.package).map((row) => row.version),
      ),
      latest: steps.latest,
      pending: pendingSteps(steps, ledger).map(({ version, name }) => ({ version, name })),
    }))
  }

  async #ensure(steps: Steps): Promise<void> {
    const ledger = await this.#connected((connection) => this.#ledger(connection, [steps]))
    if (pendingSteps(steps, ledger).length === 0) return
    if (this.#db.options.migrate === 'manual') throw this.#required(steps)
    await this.#apply([steps])
  }

  #apply(all: readonly Steps[]) {
    return this.#locked(async (connection) => {
      await this.#prepare(connection)
      const ledger = await this.#ledger(connection, all)
      const applied: { package: string; version: number; name: string }[] = []
      for (const steps of all) {
        for (const step of pendingSteps(steps, ledger)) {
          const row = { ...step, package: steps.package }
          await stepFailed(steps, step, async () => {
            for (const text of step.up(this.#db.schema)) await connection.query({ text })
            await connection.query({ text: insertLedger(this.#db.schema, row) })
          })
          applied.push({ package: steps.package, version: step.version, name: step.name })
        }
      }
      return applied
    })
  }

  async #prepare(connection: Queryable): Promise<void> {
    const { rows } = await connection.query({ text: schemaExists(this.#db.options.schema) })
    if (rows[0]?.present !== true) {
      await connection.query({ text: `create schema ${this.#db.schema}` })
    }
    await connection.query({ text: createLedger(this.#db.schema) })
  }

  async #ledger(connection: Queryable, all: readonly Steps[]): Promise<LedgerRow[]> {
    const { rows } = await connection.query({ text: ledgerExists(this.#db.options.schema) })
    if (rows[0]?.present !== true) return []
    const packages = all.map((steps) => steps.package)
    return (await connection.query({ text: readLedger(this.#db.schema), values: [packages] })).rows
  }

  /** Runs `fn` alone on this schema, in a transaction that reads what others committed while it waited. */
  #locked<T>(fn: (connection: Queryable) => Promise<T>): Promise<T> {
    return this.#connected(async (connection, begun) => {
      if (!begun)
        await connection.query({ text: 'begin isolation level read committed read write' })
      try {
        await connection.query({
          text: `select set_config('statement_timeout', '0', true), set_config('lock_timeout', '0', true)`,
        })
        await connection.query({ text: lockSchema(this.#db.options.schema) })
        const result = await fn(connection)
        if (!begun) await connection.query({ text: 'commit' })
        return result
      } catch (error) {
        // A connection that is gone has rolled back by itself.
        if (!begun) await connection.query({ text: 'rollback' }).catch(() => {})
        throw error
      }
    })
  }

  async #connected<T>(fn: (connection: Queryable, begun: boolean) => Promise<T>): Promise<T> {
    try {
      const own = this.#driver.kind === 'pg' ? await this.#driver.connect() : undefined
      if (own === undefined)
        return await this.#driver.transaction((connection) => fn(connection, true))
      try {
        return await fn(own, false)
      } finally {
        await own.close()
      }
    } catch (error) {
      throw explainFailure(error, this.#db.options.schema)
    }
  }

  #required(steps: Steps): HowdahError {
    const schema = this.#db.options.schema
    const option = schema === 'howdah' ? '' : ` --schema '${schema.replaceAll("'", `'\\''`)}'`
    return new HowdahError(
      'CORE_MIGRATION_REQUIRED',
      `The tables of '${steps.package}' are not up to date, and migrate is 'manual'. Run: npx @howdah/cli migrate up${option}   (npx @howdah/cli migrate print${option} shows the SQL).`,
    )
  }
}
