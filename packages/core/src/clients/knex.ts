import { HowdahError } from '../errors.js'
import type { Queryable } from '../queryable.js'
import { notATransaction, type Recognise } from './recognise.js'

/** The `trx` of Knex's `transaction()` or `transactionProvider()`, over `pg`. */
export interface KnexTransactionLike {
  readonly isTransaction?: boolean
  isCompleted(): boolean
  // biome-ignore lint/suspicious/noExplicitAny: Knex's own query builder
  commit(value?: any): any
  // biome-ignore lint/suspicious/noExplicitAny: Knex's own query builder
  rollback(error?: any): any
  // biome-ignore lint/suspicious/noExplicitAny: Knex types its client so
  readonly client: any
}

interface KnexClient {
  readonly driverName?: unknown
  acquireConnection(): Promise<Queryable>
}

/**
 * Recognises Knex, and runs statements on the `pg` client that the transaction holds: `trx.raw()` would read `?` and `:name` in
 * them as placeholders, and `postProcessResponse` may rename columns.
 */
export const recogniseKnex: Recognise = (handle) => {
  if (typeof handle !== 'function') return undefined
  if (typeof handle['raw'] !== 'function' || typeof handle['transaction'] !== 'function') {
    return undefined
  }
  if (handle['isTransaction'] !== true) {
    throw notATransaction('a Knex root object', 'the trx of knex.transaction()')
  }
  const trx = handle as unknown as KnexTransactionLike
  const client = trx.client as KnexClient
  if (client.driverName !== 'pg') return undefined
  return {
    async query(config) {
      // The connection goes on to serve others, so we must hold back what Knex itself would refuse.
      if (trx.isCompleted()) {
        throw new HowdahError('CORE_TRANSACTION_OVER', 'This Knex transaction has ended.')
      }
      return (await client.acquireConnection()).query(config)
    },
  }
}
