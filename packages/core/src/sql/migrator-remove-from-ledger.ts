import { defineStatement, type Statement } from '../statement.js'

/** Forgets a step that was taken back. */
export const removeFromLedger: (schema: string, owner: string, version: number) => Statement =
  defineStatement<[owner: string, version: number]>(
    'migrator.remove_from_ledger',
    (s) => /* sql */ `
      delete from ${s}.migration where package = $1::text and version = $2::int`,
    (owner, version) => [owner, version],
  )
