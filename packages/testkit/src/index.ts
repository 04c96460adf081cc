/**
 * A real PostgreSQL for tests and demos, and conformance suites for Howdah engines and stores.
 *
 * @packageDocumentation
 */

export {
  type FastifySessionStoreFactory,
  type FastifySessionStoreLimits,
  fastifySessionStoreConformance,
} from './conformance/fastify-session-store.js'
export {
  type AddOptionsUnderTest,
  type JobUnderTest,
  type QueueFactory,
  type QueueSubject,
  type QueueUnderTest,
  queueConformance,
  type TransactionUnderTest,
  type WorkerUnderTest,
} from './conformance/job-queue.js'
export {
  type KeyValueFactory,
  type KeyValueStore,
  keyValueConformance,
} from './conformance/key-value.js'
export type { ConformanceRunner } from './conformance/runner.js'
export {
  type SearchDefinitionUnderTest,
  type SearchFactory,
  type SearchOptionsUnderTest,
  type SearchResultUnderTest,
  type SearchSubject,
  type SearchTransaction,
  type SearchUnderTest,
  searchConformance,
} from './conformance/search-index.js'
export {
  type ConformanceSessionStore,
  type SessionStoreFactory,
  sessionStoreConformance,
} from './conformance/session-store.js'
export type {
  CallbackSessionStore,
  ConformanceSession,
} from './conformance/session-store-contract.js'
export type { BackendFilter, Session } from './database/admin.js'
export { testDatabase } from './database/for-this-file.js'
export type { TestDatabase } from './database/test-database.js'
export type { TestkitErrorCode } from './errors.js'
export {
  findPgBouncer,
  type PgBouncer,
  type PgBouncerOptions,
  startPgBouncer,
} from './pgbouncer.js'
export type {
  DatabaseRole,
  PostgresMajor,
  PostgresOptions,
  PostgresProvider,
} from './postgres/options.js'
export type { PostgresServer } from './postgres/server.js'
export { startPostgres } from './postgres/start.js'
export { type ProxyTarget, startProxy, type TcpProxy } from './proxy.js'
export { type WaitForOptions, waitFor } from './wait-for.js'
