import { defineStatement, type Statement } from '../statement.js'

/** Makes the ledger. It is what migrations stand on and has none of its own, so its shape never changes. */
export const createLedger: (schema: string) => Statement = defineStatement<[]>(
  'migrator.create_ledger',
  (s) => /* sql */ `
create table if not exists ${s}.migration (
  package text not null,
  version int not null,
  name text not null,
  checksum text not null,
  oldest_client int not null,
  applied_at timestamptz not null default clock_timestamp(),
  primary key (package, version)
)`,
  () => [],
)
