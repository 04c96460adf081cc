import { defineStatement, type Statement } from '../statement.js'

/** A step to note in the ledger. */
export interface LedgerEntry {
  readonly version: number
  readonly name: string
  readonly checksum: string
  readonly oldestClient: number
}

/** Notes an applied step. */
export const addToLedger: (schema: string, owner: string, entry: LedgerEntry) => Statement =
  defineStatement<[owner: string, entry: LedgerEntry]>(
    'migrator.add_to_ledger',
    (s) => /* sql */ `
      insert into ${s}.migration (package, version, name, checksum, oldest_client)
      values ($1::text, $2::int, $3::text, $4::text, $5::int)`,
    (owner, { version, name, checksum, oldestClient }) => [
      owner,
      version,
      name,
      checksum,
      oldestClient,
    ],
  )
