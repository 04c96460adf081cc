/**
 * A real PostgreSQL for tests and demos, and conformance suites for Howdah engines and stores.
 *
 * @packageDocumentation
 */
export type { BackendFilter, Session } from './database/admin.js'
export { testDatabase } from './database/for-this-file.js'
export type { TestDatabase } from './database/test-database.js'
export type { TestkitErrorCode } from './errors.js'
export type { PostgresMajor, PostgresOptions, PostgresProvider } from './postgres/options.js'
export type { PostgresServer } from './postgres/server.js'
export { startPostgres } from './postgres/start.js'
