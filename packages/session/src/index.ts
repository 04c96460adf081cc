/**
 * Sessions in the PostgreSQL your application already runs.
 *
 * @packageDocumentation
 */
export type { Device } from './device.js'
export type { SessionErrorCode } from './errors.js'
export { hotStatements } from './hot-statements.js'
export type { EncryptionKey, EncryptionOptions } from './key-ring.js'
export { migrations } from './migrations/index.js'
export type { SessionsOptions } from './options.js'
export type { Reencrypted } from './reencrypt.js'
export type {
  CreateSessionOptions,
  RegenerateSessionOptions,
  SaveSessionOptions,
  Session,
  SessionClientOptions,
  SessionLifetime,
  SessionsEvents,
  UserSession,
} from './session.js'
export { Sessions } from './sessions.js'
