import { notATransaction, type Recognise } from './recognise.js'

/** The `trx` of Kysely's `transaction().execute()` or `startTransaction().execute()`. */
export interface KyselyTransactionLike {
  readonly isTransaction: true
  // biome-ignore lint/suspicious/noExplicitAny: Kysely's compiled query, which we make by hand
  executeQuery(query: any): Promise<{ readonly rows: unknown[] }>
  withoutPlugins(): KyselyTransactionLike
}

/** Recognises Kysely. Its plugins are left out, for they rename columns. */
export const recogniseKysely: Recognise = (handle) => {
  if (typeof handle['executeQuery'] !== 'function') return undefined
  if (typeof handle['withoutPlugins'] !== 'function') return undefined
  if (handle['isTransaction'] !== true) {
    throw notATransaction('a Kysely database', 'the trx of db.transaction().execute()')
  }
  const trx = handle as unknown as KyselyTransactionLike
  return {
    query({ text, values = [] }) {
      return trx.withoutPlugins().executeQuery(compiledQuery(text, values))
    },
  }
}

/** What Kysely's own `CompiledQuery.raw()` makes. */
function compiledQuery(sql: string, parameters: readonly unknown[]): object {
  return {
    sql,
    parameters,
    query: { kind: 'RawNode', sqlFragments: [sql], parameters: [] },
    queryId: { queryId: 'howdah' },
  }
}
