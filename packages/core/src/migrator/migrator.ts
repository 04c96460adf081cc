/**
 * Brings the tables of the packages to the version their code expects.
 *
 * Invariants
 * - A package moves in one transaction that holds the schema's advisory lock, statements and ledger together: however many
 *   processes start at once, one applies a step and the others find it applied; a process that dies leaves nothing behind.
 * - What to do is decided from the ledger as read under the lock. What is read before only spares the lock to the many
 *   processes that find nothing to do.
 * - No connection of the application's pool is waited for where the library lets us open our own: see MigrationConnection.
 * - An attempt that failed is forgotten, so that the next call tries again.
 */
import type { Database } from '../database.js'
import type { Driver } from '../drivers/driver.js'
import { HowdahError } from '../errors.js'
import type { Queryable } from '../queryable.js'
import { addToLedger } from '../sql/migrator-add-to-ledger.js'
import { createLedger } from '../sql/migrator-create-ledger.js'
import { createSchema } from '../sql/migrator-create-schema.js'
import { liftTimeouts } from '../sql/migrator-lift-timeouts.js'
import { lockSchema } from '../sql/migrator-lock.js'
import { type Probe, probeSchema } from '../sql/migrator-probe.js'
import { type LedgerRow, readLedger } from '../sql/migrator-read-ledger.js'
import { removeFromLedger } from '../sql/migrator-remove-from-ledger.js'
import type { Statement } from '../statement.js'
import { tracer } from '../trace.js'
import { MigrationConnection, runStatement } from './connection.js'
import type { MigrationSet } from './migration.js'
import { allStepsOf, type Step, type Steps, stepsOf } from './migration-set.js'
import { stepsToApply, stepsToTakeBack } from './plan.js'
import { stepFailed, whyNotReadable, whyNotWritable } from './refusal.js'
import { type MigrationStatus, type MigrationStep, statusOf } from './status.js'

/** Options of {@link Migrator.up}. */
export interface MigrateUpOptions {
  /** Answers the steps that would be applied, and applies none. @defaultValue `false` */
  readonly dryRun?: boolean | undefined
}

/** Options of {@link Migrator.down}. */
export interface MigrateDownOptions extends MigrateUpOptions {
  /** The version to end at; 0 takes back everything the package made. */
  readonly to: number
}

/** Runs one statement, on the pool's side of things or inside a transaction. */
type Run = <Row>(statement: Statement<Row>) => Promise<Row[]>

const migrateTracer = tracer('@howdah/core:migrate')

/**
 * Brings the tables of Howdah packages up to date, or back. There is one on each {@link Database}, as `db.migrator`.
 *
 * @example
 * ```ts
 * import { Database, type MigrationSet } from '@howdah/core'
 * import { Pool } from 'pg'
 *
 * const notes: MigrationSet = {
 *   package: 'notes',
 *   migrations: [
 *     {
 *       version: 1,
 *       name: 'create-note',
 *       up: (s) => [`create table ${s}.note (id bigint primary key, body text not null)`],
 *       down: (s) => [`drop table ${s}.note`],
 *     },
 *   ],
 * }
 * const db = Database.from(new Pool())
 * await db.migrator.ensure(notes)
 * ```
 */
export class Migrator {
  readonly #schemaName: string
  readonly #schema: string
  readonly #mode: 'auto' | 'manual'
  readonly #connection: MigrationConnection
  #ensured = new WeakMap<MigrationSet, Promise<void>>()

  /** @internal Made by {@link Database}. */
  constructor(db: Database, driver: Driver) {
    this.#schemaName = db.options.schema
    this.#schema = db.schema
    this.#mode = db.options.migrate
    this.#connection = new MigrationConnection(driver)
  }

  /**
   * Makes sure that a package's tables are there before it uses them: applies missing steps with `migrate: 'auto'`, demands
   * them with `'manual'`. After the first success it costs nothing. On PGlite, which has one connection, the first call must
   * not come from inside a transaction.
   *
   * @throws {@link HowdahError} CORE_MIGRATION_REQUIRED when steps are missing and `migrate` is `'manual'`
   * @throws {@link HowdahError} CORE_MIGRATION_TOO_NEW when the database is ahead of what this version works with
   * @throws {@link HowdahError} CORE_MIGRATION_CHANGED when an applied step differs from the package's
   * @throws {@link HowdahError} CORE_MIGRATION_FORBIDDEN when the role lacks a right, or the database takes no writes
   * @throws {@link HowdahError} CORE_MIGRATION_FAILED when a step fails; nothing of it remains
   */
  ensure(set: MigrationSet): Promise<void> {
    const known = this.#ensured.get(set)
    if (known !== undefined) return known
    const attempt = this.#ensure(set)
    // The set may be no object at all; the attempt says so.
    if (typeof set !== 'object' || set === null) return attempt
    this.#ensured.set(set, attempt)
    attempt.catch(() => {
      if (this.#ensured.get(set) === attempt) this.#ensured.delete(set)
    })
    return attempt
  }

  /**
   * Applies the missing steps of packages, in the order given, one transaction each, and answers what it applied.
   *
   * @throws {@link HowdahError} CORE_INVALID_OPTION when a set is malformed, and as {@link Migrator.ensure}
   */
  async up(
    sets: readonly MigrationSet[],
    { dryRun = false }: MigrateUpOptions = {},
  ): Promise<readonly MigrationStep[]> {
    const done: MigrationStep[] = []
    for (const steps of allStepsOf(sets)) {
      const applied = dryRun ? await this.#pending(steps) : await this.#apply(steps)
      done.push(...applied.map((step) => nameOf(steps, step)))
    }
    return done
  }

  /**
   * Takes the steps of a package back, newest first and in one transaction, and answers which. What the steps had made is
   * dropped with its rows. The schema and the ledger stay.
   *
   * @throws {@link HowdahError} CORE_INVALID_OPTION when `to` is not a version of the package
   * @throws {@link HowdahError} CORE_MIGRATION_TOO_NEW when the database has a step that this version does not know
   * @throws {@link HowdahError} CORE_MIGRATION_CHANGED, CORE_MIGRATION_FORBIDDEN, CORE_MIGRATION_FAILED as
   * {@link Migrator.ensure}
   */
  async down(
    set: MigrationSet,
    { to, dryRun = false }: MigrateDownOptions,
  ): Promise<readonly MigrationStep[]> {
    const steps = stepsOf(set)
    if (!Number.isSafeInteger(to) || to < 0 || to > steps.latest) {
      throw new HowdahError(
        'CORE_INVALID_OPTION',
        `to must be a version of '${steps.package}', between 0 and ${steps.latest}.`,
      )
    }
    const plan = (applied: readonly LedgerRow[]) => stepsToTakeBack(steps, applied, to)
    const taken = dryRun
      ? plan(await this.#connection.run((session) => this.#ledger(session.query, steps)))
      : await this.#transact(steps, 'down', plan)
    if (!dryRun) this.#ensured = new WeakMap()
    return taken.map((step) => nameOf(steps, step))
  }

  /**
   * Describes how packages stand in the database. Changes nothing.
   *
   * @throws {@link HowdahError} CORE_MIGRATION_FORBIDDEN when the role may not read the ledger
   */
  status(sets: readonly MigrationSet[]): Promise<readonly MigrationStatus[]> {
    return this.#connection.run(async (session) => {
      const statuses: MigrationStatus[] = []
      for (const steps of allStepsOf(sets)) {
        statuses.push(statusOf(steps, await this.#ledger(session.query, steps)))
      }
      return statuses
    })
  }

  async #ensure(set: MigrationSet): Promise<void> {
    const steps = stepsOf(set)
    if (this.#mode === 'auto') {
      await this.#apply(steps)
      return
    }
    const pending = await this.#pending(steps)
    if (pending.length > 0) throw this.#required(steps, pending)
  }

  async #pending(steps: Steps): Promise<readonly Step[]> {
    const applied = await this.#connection.run((session) => this.#ledger(session.query, steps))
    return stepsToApply(steps, applied)
  }

  async #apply(steps: Steps): Promise<readonly Step[]> {
    if ((await this.#pending(steps)).length === 0) return []
    return this.#transact(steps, 'up', (applied) => stepsToApply(steps, applied))
  }

  /** Moves one package under the lock; what to do is planned from the ledger as it stands then. */
  #transact(
    steps: Steps,
    direction: 'up' | 'down',
    plan: (applied: readonly LedgerRow[]) => readonly Step[],
  ): Promise<readonly Step[]> {
    return this.#connection.run((session) =>
      session.transaction(async (connection) => {
        const run: Run = (statement) => runStatement(connection, statement)
        // A snapshot taken before the lock would hide what the process that held it has done.
        await connection.query({ text: 'set transaction isolation level read committed' })
        await run(liftTimeouts(this.#schema))
        await run(lockSchema(this.#schema))
        const probe = await this.#probe(run)
        const refusal = whyNotWritable(probe, this.#schema)
        if (refusal !== undefined) throw refusal
        if (!probe.schemaExists) await run(createSchema(this.#schema))
        if (!probe.ledgerExists) await run(createLedger(this.#schema))
        const todo = plan(await run(readLedger(this.#schema, steps.package)))
        if (todo.length === 0) return todo
        const context = () => ({ target: steps.package, count: todo.length })
        await migrateTracer.run(context, async () => {
          for (const step of todo) await this.#move(connection, steps.package, step, direction)
        })
        return todo
      }),
    )
  }

  async #move(connection: Queryable, owner: string, step: Step, direction: 'up' | 'down') {
    try {
      for (const text of step[direction](this.#schema)) await connection.query({ text })
    } catch (cause) {
      throw stepFailed(owner, step, direction, cause)
    }
    const { version } = step
    const note =
      direction === 'up'
        ? addToLedger(this.#schema, owner, step)
        : removeFromLedger(this.#schema, owner, version)
    await runStatement(connection, note)
  }

  async #ledger(run: Run, steps: Steps): Promise<readonly LedgerRow[]> {
    const probe = await this.#probe(run)
    const refusal = whyNotReadable(probe, this.#schema)
    if (refusal !== undefined) throw refusal
    return probe.ledgerExists ? run(readLedger(this.#schema, steps.package)) : []
  }

  async #probe(run: Run): Promise<Probe> {
    const [probe] = await run(probeSchema(this.#schema, this.#schemaName))
    return probe as Probe
  }

  #required(steps: Steps, pending: readonly Step[]): HowdahError {
    const names = pending.map(({ version, name }) => `${version} (${name})`).join(', ')
    const schema = `'${this.#schemaName.replaceAll("'", `'\\''`)}'`
    const option = /^[\w-]+$/.test(this.#schemaName) ? this.#schemaName : schema
    return new HowdahError(
      'CORE_MIGRATION_REQUIRED',
      `Schema ${this.#schema} lacks migrations of '${steps.package}': ${names}. Run: npx @howdah/cli migrate up --schema ${option}. To review the SQL or run it yourself, take it from: npx @howdah/cli migrate print --schema ${option}, or from migrationSql().`,
    )
  }
}

function nameOf(steps: Steps, { version, name }: Step): MigrationStep {
  return { package: steps.package, version, name }
}
