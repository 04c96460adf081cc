import { ident, type TableName } from '@howdah/core'
import type { After } from '../stream/batch.js'
import { invalid, resolveStreamName, text } from '../stream/options.js'

/** Options of {@link PubSub.watch}. */
export interface WatchOptions {
  /** Columns that are told, and whose change counts. @defaultValue all the table has at the time */
  readonly columns?: readonly string[] | undefined
  /**
   * Condition in SQL over the columns of a row, such as `"status <> 'draft'"`. It is the developer's text and never a user's. It is evaluated with the
   * rights of who installed the watch and a `search_path` of `pg_catalog` only.
   */
  readonly where?: string | undefined
  /** Updates tell the columns that changed, and which those are. @defaultValue `false` */
  readonly diff?: boolean | undefined
  /** Updates and deletions also tell what was before. @defaultValue `false` */
  readonly old?: boolean | undefined
  /** Name of the stream, which is what a watch is known by. @defaultValue `'watch:'` and the table's name */
  readonly stream?: string | undefined
}

/** Options of {@link Watch.bootstrap}. */
export interface BootstrapOptions {
  /** Rows held in memory at a time. @defaultValue `1000` */
  readonly batchSize?: number | undefined
}

/** Options of {@link Watch.changes}. */
export interface ChangesOptions {
  /** @defaultValue `'latest'` */
  readonly after?: After | undefined
  /** Ends the iteration. */
  readonly signal?: AbortSignal | undefined
}

/** What is watched, and how. */
export interface WatchDefinition {
  /** Quoted. */
  readonly table: string
  readonly stream: string
  readonly columns: readonly string[] | null
  readonly where: string | null
  readonly diff: boolean
  readonly old: boolean
}

const MAX_WHERE = 10_000

/** @throws {@link HowdahError} PUBSUB_INVALID_OPTION, CORE_INVALID_NAME */
export function resolveWatch(table: TableName, options: WatchOptions): WatchDefinition {
  const path: readonly string[] = typeof table === 'string' ? [table] : table
  if (!Array.isArray(path) || path.length === 0 || path.length > 2) {
    throw invalid("The table must be its name, or ['schema', 'name'].")
  }
  const { columns, where, diff = false, old = false, stream = `watch:${path.join('.')}` } = options
  if (typeof diff !== 'boolean' || typeof old !== 'boolean') {
    throw invalid('diff and old must be true or false.')
  }
  return Object.freeze({
    table: ident(...(path as readonly string[] as [string, ...string[]])),
    stream: resolveStreamName(stream),
    columns: columns === undefined ? null : resolveColumns(columns),
    where: where === undefined ? null : text('where', where, MAX_WHERE),
    diff,
    old,
  })
}

function resolveColumns(columns: readonly string[]): readonly string[] {
  if (!Array.isArray(columns) || columns.length === 0) {
    throw invalid('columns must name at least one column. Leave it out to watch all of them.')
  }
  for (const column of columns) ident(column)
  // One order, so that the same columns are the same options.
  return Object.freeze([...new Set<string>(columns)].sort())
}
