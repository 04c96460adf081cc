import { literal } from '../ident.js'

/** One row of the ledger: a step that has been applied. */
export interface LedgerRow {
  readonly package: string
  readonly version: number
  readonly name: string
  readonly checksum: string
  readonly oldestClient: number
}

/** Whoever migrates a schema holds this until its transaction ends, so that one at a time does. */
export function lockSchema(schemaName: string): string {
  return `select pg_advisory_xact_lock(hashtextextended(${literal(`howdah.migration:${schemaName}`)}, 0))`
}

/** Tells whether a schema exists. `create schema if not exists` needs a right on the database even where it does. */
export function schemaExists(schemaName: string): string {
  return `select exists (
    select from pg_catalog.pg_namespace where nspname = ${literal(schemaName)}
  ) as present`
}

/** Tells whether the ledger exists. */
export function ledgerExists(schemaName: string): string {
  return `select exists (
    select from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where n.nspname = ${literal(schemaName)} and c.relname = 'migration'
  ) as present`
}

/** Makes the ledger: which step of which package was applied, and what it said. */
export function createLedger(s: string): string {
  return `create table if not exists ${s}.migration (
    package text collate "C" not null,
    version integer not null,
    name text not null,
    checksum text not null,
    oldest_client integer not null,
    applied_at timestamptz not null default now(),
    primary key (package, version)
  )`
}

/** Reads the applied steps of the given packages, in order. */
export function readLedger(s: string): string {
  return `select package, version, name, checksum, oldest_client as "oldestClient"
    from ${s}.migration
    where package = any($1::text[])
    order by package, version`
}

/** Notes an applied step. */
export function insertLedger(s: string, row: LedgerRow): string {
  return `insert into ${s}.migration (package, version, name, checksum, oldest_client)
    values (${literal(row.package)}, ${row.version}, ${literal(row.name)}, ${literal(row.checksum)}, ${row.oldestClient})`
}

/** Forgets a step that was taken back. */
export function deleteLedger(s: string, row: Pick<LedgerRow, 'package' | 'version'>): string {
  return `delete from ${s}.migration
    where package = ${literal(row.package)} and version = ${row.version}`
}
