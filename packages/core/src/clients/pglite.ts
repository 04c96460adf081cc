import { notATransaction, type Recognise, withBuffers } from './recognise.js'

/** The `tx` that PGlite gives to the function passed to `pglite.transaction()`. */
export interface PGliteTransactionLike {
  // biome-ignore lint/suspicious/noExplicitAny: parameters and rows are of the statement
  query<T>(text: string, params?: any[]): Promise<{ rows: T[] }>
  exec(text: string): Promise<unknown>
  rollback(): Promise<void>
  readonly closed: boolean
}

/** Recognises PGlite's transaction. */
export const recognisePGlite: Recognise = (handle) => {
  if (typeof handle['exec'] !== 'function' || typeof handle['query'] !== 'function')
    return undefined
  if (typeof handle['transaction'] === 'function') {
    throw notATransaction('a PGlite database', 'the tx of pglite.transaction()')
  }
  if (typeof handle['rollback'] !== 'function') return undefined
  const tx = handle as unknown as PGliteTransactionLike
  return {
    async query({ text, values }) {
      return { rows: withBuffers((await tx.query(text, values)).rows) }
    },
  }
}
