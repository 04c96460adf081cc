import type { Database, MigrationSet, MigrationStatus } from '@howdah/core'
import type pg from 'pg'
import { installedMigrations } from '../installed.js'
import { type Pooling, recognisePooling } from './pooling.js'

/** What checks look at. */
export interface DoctorContext {
  readonly db: Database
  readonly pool: pg.Pool
  /** Name of the schema, not quoted. */
  readonly schema: string
  readonly server: ServerFacts
  readonly sets: readonly MigrationSet[]
  /** Whether the hub was told where to listen. */
  readonly direct: boolean
  /** How old a transaction may grow before it is a finding, in milliseconds. */
  readonly longMs: number
  query<Row extends pg.QueryResultRow>(text: string, values?: readonly unknown[]): Promise<Row[]>
  /** Where the packages stand; asked once. */
  statuses(): Promise<readonly MigrationStatus[]>
  /** What lies between us and the server; found out once. */
  pooling(): Promise<Pooling>
}

/** What is known before any check runs. */
export interface ServerFacts {
  /** As `server_version_num`: 180001. */
  readonly version: number
  readonly versionText: string
  readonly standby: boolean
  readonly role: string
  readonly database: string
  readonly superuser: boolean
  /** Whether the role sees what sessions of other roles do. */
  readonly seesAll: boolean
  readonly schemaExists: boolean
  readonly mayUseSchema: boolean
}

export interface ContextOptions {
  readonly schema: string
  readonly direct: boolean
  readonly longMs: number
}

/** Connects, and asks what all checks need to know. */
export async function openContext(
  db: Database,
  pool: pg.Pool,
  { schema, direct, longMs }: ContextOptions,
): Promise<DoctorContext> {
  const query = async <Row extends pg.QueryResultRow>(
    text: string,
    values: readonly unknown[] = [],
  ) => (await pool.query<Row>(text, [...values])).rows
  const [server] = await query<ServerFacts>(FACTS, [schema])
  const sets = await installedMigrations()
  return {
    db,
    pool,
    schema,
    server: server as ServerFacts,
    sets,
    direct,
    longMs,
    query,
    statuses: once(() => db.migrator.status(sets)),
    pooling: once(() => recognisePooling(pool)),
  }
}

const FACTS = /* sql */ `
  select current_setting('server_version_num')::int as version, current_setting('server_version') as "versionText",
    pg_is_in_recovery() as standby, current_user::text as role, current_database()::text as database,
    (select r.rolsuper from pg_roles r where r.rolname = current_user) as superuser,
    pg_has_role(current_user, 'pg_read_all_stats', 'usage') as "seesAll",
    n.oid is not null as "schemaExists", coalesce(has_schema_privilege(n.oid, 'usage'), false) as "mayUseSchema"
  from (values ($1::text)) as s(name) left join pg_namespace n on n.nspname = s.name`

function once<T>(ask: () => Promise<T>): () => Promise<T> {
  let asked: Promise<T> | undefined
  return () => {
    asked ??= ask()
    return asked
  }
}
