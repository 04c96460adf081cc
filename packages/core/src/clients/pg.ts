import type { Queryable } from '../queryable.js'
import { notATransaction, type Recognise } from './recognise.js'

/** A `pg.Client` or `pg.PoolClient` inside `begin`. A pool does not fit: each of its statements may take another connection. */
export interface PgTransactionLike extends Queryable {
  /** Only a pool counts its connections. */
  readonly totalCount?: undefined
  readonly idleCount?: undefined
}

/** Recognises clients of `pg`, and whatever takes a statement in the same form. */
export const recognisePg: Recognise = (handle) => {
  if (typeof handle['query'] !== 'function') return undefined
  if (isPool(handle)) {
    throw notATransaction(
      'a pool or a Database',
      'the pg client that ran begin, or the tx of Database.transaction()',
    )
  }
  return handle as unknown as Queryable
}

/** A client connects too; what tells it apart is that it can be released, or knows its connection's types. */
function isPool(handle: Record<PropertyKey, unknown>): boolean {
  if (typeof handle['totalCount'] === 'number' || typeof handle['transaction'] === 'function') {
    return true
  }
  return (
    typeof handle['connect'] === 'function' &&
    typeof handle['release'] !== 'function' &&
    typeof handle['getTypeParser'] !== 'function'
  )
}
