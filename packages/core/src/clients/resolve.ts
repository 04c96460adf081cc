import { HowdahError } from '../errors.js'
import type { Queryable } from '../queryable.js'
import { Transaction } from '../transaction.js'

/**
 * A transaction of the application that a write may join: a `pg` client inside `begin`, a {@link Transaction}, or the
 * transaction object of Drizzle, Kysely, Prisma, Knex or postgres.js.
 */
export type TransactionHandle = Queryable

/**
 * Turns a transaction handle of any supported library into a {@link Queryable}.
 *
 * @throws {@link HowdahError} CORE_UNKNOWN_CLIENT when the object is none that we know
 */
export function resolveClient(handle: TransactionHandle): Queryable {
  if (handle instanceof Transaction) return handle
  if (typeof handle?.query === 'function') return handle
  throw new HowdahError(
    'CORE_UNKNOWN_CLIENT',
    'The client must be a pg client inside a transaction, or a transaction of Drizzle, Kysely, Prisma, Knex or postgres.js.',
  )
}
