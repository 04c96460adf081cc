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
export type { CallbackStore } from './moving/callback-store.js'
export type { ImportCounts, ImportOptions } from './moving/import-sessions.js'
export type { SessionsOptions } from './options.js'
export type { Reencrypted } from './reencrypt.js'
export type {
  CreateSessionOptions,
  RegenerateSessionOptions,
  SaveSessionOptions,
  Session,
  SessionClientOptions,
  SessionLifetime,
  SessionStats,
  SessionsEvents,
  UserSession,
} from './session.js'
export { Sessions } from './sessions.js'
