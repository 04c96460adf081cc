import { defineStatement, type Statement } from '../statement.js'

/** One row of the ledger: a step that is in the database. */
export interface LedgerRow {
  readonly version: number
  readonly name: string
  readonly checksum: string
  readonly oldestClient: number
  /** Milliseconds since the epoch, by the database's clock. */
  readonly appliedAt: number
}

/** Answers the applied steps of a package, oldest first. */
export const readLedger: (schema: string, owner: string) => Statement<LedgerRow> = defineStatement<
  [owner: string],
  LedgerRow
>(
  'migrator.read_ledger',
  (s) => /* sql */ `
    select
      version, name, checksum, oldest_client as "oldestClient",
      (extract(epoch from applied_at) * 1000)::double precision as "appliedAt"
    from ${s}.migration
    where package = $1::text
    order by version`,
  (owner) => [owner],
)
