import { HowdahError } from '../errors.js'
import type { Queryable } from '../queryable.js'
import type { Statement } from '../statement.js'

/** A connection of our own, outside the application's pool, for `LISTEN` and for migrations. */
export interface DirectConnection extends Queryable {
  /** Process id the server gave at connect; behind a pooler it differs from `pg_backend_pid()`. */
  readonly processId: number | undefined
  /** Called with each notification's channel and payload. */
  onNotification(listener: (channel: string, payload: string) => void): void
  /** Called once, when the connection is lost or closed by the server. */
  onLost(listener: (error: unknown) => void): void
  /** Lets the process end while the connection is open. */
  unref(): void
  /** Ends the connection; where the network does not answer, cuts it. Never fails. */
  close(): Promise<void>
}

/** What a {@link Database} needs of a client library. One file a library beside this one. */
export interface Driver {
  readonly kind: 'pg' | 'pglite'
  /** Runs one statement on any connection, outside a transaction. */
  query(statement: Statement, prepare: boolean): Promise<unknown[]>
  /** Runs `fn` between `begin` and `commit` on one connection; rolls back when it throws. */
  transaction<T>(fn: (connection: Queryable) => Promise<T>): Promise<T>
  /** Streams rows in batches, holding one connection meanwhile. */
  iterate(statement: Statement, batchSize: number): AsyncGenerator<unknown[], void, void>
  /**
   * Opens a connection of our own: to `url` when given, else to where the pool points. `undefined` when the library
   * cannot (a pool of unknown make). An abort ends the attempt, whatever the network does.
   */
  connect(url?: string, signal?: AbortSignal): Promise<DirectConnection | undefined>
  /** Options with which a thread of its own, given `pg`, would connect like the pool; `undefined` where they cannot be handed over. */
  connectionOptions?(): Promise<Record<string, unknown> | undefined>
}

/** What a transaction ends with when its commit rolled it back. */
export function transactionAborted(): HowdahError<'CORE_TRANSACTION_ABORTED'> {
  return new HowdahError(
    'CORE_TRANSACTION_ABORTED',
    'Nothing was committed: a statement of this transaction failed and its error was caught. Let it through, or use a savepoint.',
  )
}
