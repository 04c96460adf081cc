import { notATransaction, type Recognise } from './recognise.js'

/** The `sql` that postgres.js gives to the function passed to `sql.begin()`. */
export interface PostgresJsTransactionLike {
  // biome-ignore lint/suspicious/noExplicitAny: parameters and rows are of the statement, options of postgres.js
  unsafe(query: string, parameters?: any[], options?: any): PromiseLike<any>
  // biome-ignore lint/suspicious/noExplicitAny: typed() takes any value
  readonly typed: (value: any, oid: number) => any
  // biome-ignore lint/suspicious/noExplicitAny: never called
  savepoint(...args: any[]): Promise<any>
}

/** Type `text`, see pg_type. */
const TEXT = 25

/** Recognises postgres.js: the `sql` of a transaction, or one reserved, on which `begin` was run by hand. */
export const recognisePostgresJs: Recognise = (handle) => {
  if (typeof handle !== 'function' || typeof handle['unsafe'] !== 'function') return undefined
  if (typeof handle['typed'] !== 'function') return undefined
  const inTransaction =
    typeof handle['savepoint'] === 'function' || typeof handle['release'] === 'function'
  if (!inTransaction) {
    throw notATransaction(
      'the root sql of postgres.js',
      'the sql given to the function in sql.begin()',
    )
  }
  const sql = handle as unknown as PostgresJsTransactionLike
  return {
    async query({ text, values = [] }) {
      // Without parameters postgres.js would take the simple protocol, which allows several statements at once.
      const parameters = values.map((value) => asText(sql, value))
      return { rows: [...(await sql.unsafe(text, parameters, { simple: false }))] }
    },
  }
}

/**
 * Sends everything as text, which the casts in our statements turn into its type on the server: with the types that the server
 * infers, postgres.js would encode our JSON text as JSON once more, and arrays only where it has read the type catalogue.
 */
function asText(sql: PostgresJsTransactionLike, value: unknown): unknown {
  return value === null || value === undefined ? null : sql.typed(textOf(value), TEXT)
}

function textOf(value: unknown): string {
  if (Array.isArray(value)) return `{${value.map(element).join(',')}}`
  if (value instanceof Uint8Array) return `\\x${Buffer.from(value).toString('hex')}`
  return String(value)
}

function element(value: unknown): string {
  if (value === null || value === undefined) return 'NULL'
  if (Array.isArray(value)) return textOf(value)
  return `"${textOf(value).replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`
}
