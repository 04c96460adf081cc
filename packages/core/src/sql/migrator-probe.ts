import { defineStatement, type Statement } from '../statement.js'

/** What the database and our role in it allow. */
export interface Probe {
  readonly role: string
  readonly database: string
  readonly standby: boolean
  readonly readOnly: boolean
  readonly schemaExists: boolean
  readonly mayCreateSchema: boolean
  readonly mayUseSchema: boolean
  readonly mayCreateInSchema: boolean
  readonly ledgerExists: boolean
  readonly mayReadLedger: boolean
  readonly mayWriteLedger: boolean
}

/** Asks the catalog, which answers every role, so that a missing ledger or right is found without a failing statement. */
export const probeSchema: (schema: string, schemaName: string) => Statement<Probe> =
  defineStatement<[schemaName: string], Probe>(
    'migrator.probe',
    () => /* sql */ `
      select
        current_user::text as "role",
        current_database()::text as "database",
        pg_is_in_recovery() as "standby",
        current_setting('transaction_read_only') = 'on' as "readOnly",
        n.oid is not null as "schemaExists",
        has_database_privilege(current_database(), 'create') as "mayCreateSchema",
        coalesce(has_schema_privilege(n.oid, 'usage'), false) as "mayUseSchema",
        coalesce(has_schema_privilege(n.oid, 'create'), false) as "mayCreateInSchema",
        c.oid is not null as "ledgerExists",
        coalesce(has_table_privilege(c.oid, 'select'), false) as "mayReadLedger",
        coalesce(
          has_table_privilege(c.oid, 'insert') and has_table_privilege(c.oid, 'delete'), false
        ) as "mayWriteLedger"
      from (select $1::text as name) asked
      left join pg_catalog.pg_namespace n on n.nspname = asked.name
      left join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = 'migration'`,
    (schemaName) => [schemaName],
  )
