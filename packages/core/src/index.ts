/**
 * The shared ground of the Howdah packages: one database handle per pool, migrations, the LISTEN/NOTIFY hub, the
 * coalescer, and the small types they all use.
 *
 * @packageDocumentation
 */
export { Backoff, type BackoffOptions } from './backoff.js'
export { resolveClient, type TransactionHandle } from './clients/resolve.js'
export { Coalescer } from './coalescer/coalescer.js'
export { canNarrowDown } from './coalescer/failure.js'
export type {
  CoalescedOperation,
  CoalescerOptions,
  DuplicateRule,
  OperationOptions,
} from './coalescer/options.js'
export { Database, type DatabaseSource, type IterateOptions } from './database.js'
export {
  type Duration,
  type DurationBounds,
  type DurationUnit,
  parseDuration,
} from './duration.js'
export { errorText } from './error-text.js'
export { type CoreErrorCode, HowdahError, isHowdahError, sqlState } from './errors.js'
export { Emitter, type EventMap } from './events.js'
export type { HoldResult, Hub, HubEvents, HubState, HubStats, SendOptions } from './hub/hub.js'
export type { HubOptions, ResolvedHubOptions } from './hub/hub-options.js'
export type { Address } from './hub/message.js'
export type { HubHandler } from './hub/registration.js'
export { ident, literal } from './ident.js'
export { encodeJson } from './json.js'
export { Loop, type LoopOptions } from './loop.js'
export type {
  MetricFamily,
  MetricReader,
  MetricSample,
  MetricSource,
} from './metrics/metric-source.js'
export { coreMigrations } from './migrations/core-migrations.js'
export { describeFunctions, describeView } from './migrator/describe.js'
export type { Migration, MigrationSet } from './migrator/migration.js'
export { type MigrationSqlOptions, migrationSql } from './migrator/migration-sql.js'
export { type MigrateDownOptions, type MigrateUpOptions, Migrator } from './migrator/migrator.js'
export type { MigrationStatus, MigrationStep, MigrationStepStatus } from './migrator/status.js'
export type { DatabaseOptions, ResolvedDatabaseOptions } from './options.js'
export type {
  PGliteLike,
  PoolClientLike,
  PoolLike,
  Queryable,
  QueryConfigLike,
  QueryResultLike,
} from './queryable.js'
export {
  checkSchema,
  type StandardIssue,
  type StandardResult,
  type StandardSchema,
  validate,
} from './schema.js'
export { defineStatement, type Statement, statementName } from './statement.js'
export {
  dropTenantPolicy,
  type TableName,
  type TenantPolicyOptions,
  tenantPolicy,
} from './tenant-policy.js'
export { onTracer, type TraceContext, type Tracer, tracer } from './trace.js'
export { Transaction } from './transaction.js'
