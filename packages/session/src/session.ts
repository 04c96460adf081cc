import type { Duration, TransactionHandle } from '@howdah/core'
import type { Device } from './device.js'

/** A session that was begun or loaded. Change what is in `data`, then save it. */
export interface Session<Data extends object = Record<string, unknown>> {
  /** What the client presents. It is a secret: whoever has it is logged in. */
  readonly id: string
  /** SHA-256 of the id, in hex, which names the session in lists and opens nothing. */
  readonly ref: string
  data: Data
  /** Whose session it is stored as. */
  readonly userId: string | undefined
  /** When it began, by the database's clock. */
  readonly createdAt: Date
  /** When it ends, by the database's clock. */
  readonly expiresAt: Date
  /** How many milliseconds are left of it, as far as this process knows. */
  readonly expiresIn: number
}

/** When a session ends. */
export interface SessionLifetime {
  /** How long it lives from now. @defaultValue the `ttl` of {@link SessionsOptions} */
  readonly ttl?: Duration | undefined
  /** The moment it ends, instead of `ttl`. */
  readonly expiresAt?: Date | undefined
}

/** Lets a call see and join the caller's transaction. */
export interface SessionClientOptions {
  readonly client?: TransactionHandle | undefined
}

/** Options of {@link Sessions.create}. */
export interface CreateSessionOptions extends SessionLifetime, SessionClientOptions {
  /** An id of your own; a session that has it already is replaced. @defaultValue 256 random bits */
  readonly id?: string | undefined
  /** Where the session begins, to show to its user. */
  readonly device?: Device | undefined
}

/** Options of {@link Sessions.save}. */
export interface SaveSessionOptions extends SessionLifetime, SessionClientOptions {}

/** Options of {@link Sessions.regenerate}. */
export interface RegenerateSessionOptions extends SessionLifetime, SessionClientOptions {
  readonly device?: Device | undefined
}

/** One of the sessions of a user. */
export interface UserSession {
  /** Names the session for {@link Sessions.revoke}. Safe to give to the user's browser. */
  readonly ref: string
  readonly createdAt: Date
  /** When it was last saved or touched; touches are not written each time, so it may have been used since. */
  readonly seenAt: Date
  readonly expiresAt: Date
  readonly device: Device
}

/** What {@link Sessions.stats} answers. */
export interface SessionStats {
  /** Sessions that live. */
  readonly live: number
  /** Those of them that belong to a user. */
  readonly ofUsers: number
  /** Expired sessions that are not pruned yet. */
  readonly expired: number
  /** Whether the figures were estimated from a sample rather than counted. */
  readonly estimated: boolean
}

/** Events of {@link Sessions}. */
export interface SessionsEvents {
  /** Background work failed and will be tried again. */
  error: readonly [error: unknown]
  /** So many expired sessions were removed. */
  prune: readonly [rows: number]
  /** Sessions ended because their user had too many; by their refs. */
  evict: readonly [userId: string, refs: readonly string[]]
}
