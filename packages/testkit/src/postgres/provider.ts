import type { PostgresMajor } from './options.js'

/**
 * One way to have a server. A provider knows processes and containers; databases, templates and sessions are the
 * business of `PostgresServer`, which works through plain SQL over any provider.
 */
export interface ServerProvider {
  readonly major: PostgresMajor | number
  /** Connection string of the maintenance database, with a role that may create databases. */
  readonly url: string
  readonly running: boolean
  /** The server stays when we go, so what we made in it must be removed by hand. */
  readonly outlivesUs: boolean
  /** The end of the server's log, for error messages. */
  log(): string
  start(): Promise<void>
  stop(): Promise<void>
  kill(): Promise<void>
  freeze(): Promise<void>
  thaw(): Promise<void>
  /** Ends the server for good and removes what it leaves. */
  close(): Promise<void>
}
