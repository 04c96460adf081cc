/**
 * Sessions in the PostgreSQL your application already runs.
 *
 * @packageDocumentation
 */
export type { SessionErrorCode } from './errors.js'
export { migrations } from './migrations/migrations.js'
export type { SessionsOptions } from './options.js'
export {
  type LoadedSession,
  type SaveSessionOptions,
  type SessionLifetime,
  Sessions,
  type SessionsEvents,
  type SessionWriteOptions,
} from './sessions.js'
