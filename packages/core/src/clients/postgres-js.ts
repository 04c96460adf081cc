import { notATransaction, type Recognise } from './recognise.js'

/** The `sql` that postgres.js gives to the function passed to `sql.begin()`. */
export interface PostgresJsTransactionLike {
  // biome-ignore lint/suspicious/noExplicitAny: types of postgres.js
  unsafe(query: string, parameters?: any[], options?: any): any
  // biome-ignore lint/suspicious/noExplicitAny: typed() takes any value
  readonly typed: (value: any, oid: number) => any
  // biome-ignore lint/suspicious/noExplicitAny: never called
  savepoint(...args: any[]): Promise<any>
}

type RawResult = Iterable<readonly (Uint8Array | null)[]> & {
  readonly columns: readonly { readonly name: string; readonly type: number }[]
}

/**
 * Recognises postgres.js: the `sql` of a transaction, or one reserved, on which `begin` was run by hand. We encode and decode by
 * ourselves: with the types the server infers, postgres.js would encode our JSON text as JSON once more, and its `transform`
 * option may rename keys inside JSON.
 */
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
      const parameters = values.map((value) => encode(sql, value))
      // Without parameters postgres.js would take the simple protocol, which allows several statements at once.
      const result: RawResult = await sql.unsafe(text, parameters, { simple: false }).raw()
      return { rows: Array.from(result, (row) => decodeRow(result.columns, row)) }
    },
  }
}

/** Numbers of types, see pg_type. */
const BOOL = 16
const BYTEA = 17
const TEXT = 25
const NUMBERS = new Set([21, 23, 26, 700, 701])
const JSONS = new Set([114, 3802])

/** Sends everything as text, which the casts in our statements turn into its type on the server. */
function encode(sql: PostgresJsTransactionLike, value: unknown): unknown {
  return value === null || value === undefined ? null : sql.typed(textOf(value), TEXT)
}

function textOf(value: unknown): string {
  if (Array.isArray(value)) return `{${value.map(elementOf).join(',')}}`
  if (value instanceof Uint8Array) return `\\x${Buffer.from(value).toString('hex')}`
  return String(value)
}

function elementOf(value: unknown): string {
  if (value === null || value === undefined) return 'NULL'
  if (Array.isArray(value)) return textOf(value)
  return `"${textOf(value).replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`
}

function decodeRow(columns: RawResult['columns'], row: readonly (Uint8Array | null)[]): object {
  return Object.fromEntries(columns.map(({ name, type }, i) => [name, decode(type, row[i])]))
}

function decode(type: number, raw: Uint8Array | null | undefined): unknown {
  if (raw === null || raw === undefined) return null
  const text = Buffer.from(raw.buffer, raw.byteOffset, raw.byteLength).toString()
  if (type === BOOL) return text === 't'
  if (type === BYTEA) return Buffer.from(text.slice(2), 'hex')
  if (NUMBERS.has(type)) return Number(text)
  return JSONS.has(type) ? JSON.parse(text) : text
}
