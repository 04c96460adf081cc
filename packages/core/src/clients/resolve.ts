import { HowdahError } from '../errors.js'
import type { Queryable } from '../queryable.js'
import { Transaction } from '../transaction.js'
import { type DrizzleTransactionLike, recogniseDrizzle } from './drizzle.js'
import { type KnexTransactionLike, recogniseKnex } from './knex.js'
import { type KyselyTransactionLike, recogniseKysely } from './kysely.js'
import { type PgTransactionLike, recognisePg } from './pg.js'
import { type PGliteTransactionLike, recognisePGlite } from './pglite.js'
import { type PostgresJsTransactionLike, recognisePostgresJs } from './postgres-js.js'
import { type PrismaTransactionLike, recognisePrisma } from './prisma.js'
import type { Recognise } from './recognise.js'

/**
 * A transaction of the application that a write may join: a {@link Transaction}, a `pg` client inside `begin`, or the
 * transaction object of Drizzle, Kysely, Prisma, Knex, postgres.js or PGlite. Commit and rollback stay with its library.
 */
export type TransactionHandle =
  | Transaction
  | PgTransactionLike
  | DrizzleTransactionLike
  | KyselyTransactionLike
  | PrismaTransactionLike
  | KnexTransactionLike
  | PostgresJsTransactionLike
  | PGliteTransactionLike

/** The most telling shapes first: models of Prisma and tables of others may have any name, `query` too. */
const recognisers: readonly Recognise[] = [
  recognisePrisma,
  recogniseKnex,
  recognisePostgresJs,
  recogniseDrizzle(recognise),
  recogniseKysely,
  recognisePGlite,
  recognisePg,
]

/**
 * Turns a transaction handle of any supported library into a {@link Queryable} that runs statements inside that transaction.
 *
 * @throws {@link HowdahError} CORE_CLIENT_IS_POOL when the object is a pool or a library's root object, whose statements
 * would not be in the transaction
 * @throws {@link HowdahError} CORE_UNKNOWN_CLIENT when the object is none that we know
 */
export function resolveClient(handle: TransactionHandle): Queryable {
  const queryable = recognise(handle)
  if (queryable !== undefined) return queryable
  throw new HowdahError(
    'CORE_UNKNOWN_CLIENT',
    'The client must be a pg client inside a transaction, or a transaction of Drizzle, Kysely, Prisma, Knex, postgres.js or PGlite.',
  )
}

function recognise(handle: unknown): Queryable | undefined {
  if (handle instanceof Transaction) return handle
  if ((typeof handle !== 'object' && typeof handle !== 'function') || handle === null)
    return undefined
  for (const recogniser of recognisers) {
    const queryable = recogniser(handle as Record<PropertyKey, unknown>)
    if (queryable !== undefined) return queryable
  }
  return undefined
}
