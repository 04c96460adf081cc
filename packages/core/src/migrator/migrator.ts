import type { Database } from '../database.js'
import type { Driver } from '../drivers/driver.js'
import type { MigrationSet } from './migration.js'

/** Stand-in until the real one lands. */
export class Migrator {
  readonly #db: Database
  #done: Promise<void> | undefined
  constructor(db: Database, _driver: Driver) {
    this.#db = db
  }
  ensure(set: MigrationSet): Promise<void> {
    this.#done ??= this.#db
      .transaction(async (tx) => {
        await tx.query('select pg_advisory_xact_lock(4711)')
        const { schema } = this.#db
        const { rows } = await tx.query('select to_regclass($1::text)::text as name', [
          `${schema}.hub_poller`,
        ])
        if (rows[0]?.name !== null) return
        await tx.query(`create schema if not exists ${schema}`)
        for (const migration of set.migrations)
          for (const text of migration.up(schema)) await tx.query(text)
      })
      .catch((error) => {
        this.#done = undefined
        throw error
      })
    return this.#done
  }
}
