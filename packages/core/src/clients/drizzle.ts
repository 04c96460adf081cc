import type { Recognise } from './recognise.js'

/** The `tx` that Drizzle gives to the function passed to `db.transaction()`, over `pg`, postgres.js or PGlite. */
export interface DrizzleTransactionLike {
  readonly _: { readonly session: object }
  rollback(): never
}

/**
 * Recognises Drizzle's databases and transactions, and goes on with the driver's client beneath: statements of ours need none of
 * Drizzle's mapping, and the client's own recogniser refuses a pool.
 */
export function recogniseDrizzle(beneath: (client: unknown) => ReturnType<Recognise>): Recognise {
  return (handle) => {
    const { session } = (handle['_'] ?? {}) as { session?: { readonly client?: unknown } }
    if (typeof session !== 'object' || session === null || session.client === undefined) {
      return undefined
    }
    return beneath(session.client)
  }
}
