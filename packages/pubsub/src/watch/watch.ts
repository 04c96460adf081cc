import { type HowdahError, isHowdahError, literal, sqlState, type TableName } from '@howdah/core'
import { type PubSubErrorCode, pubSubError } from '../errors.js'
import { installWatch } from '../sql/install-watch.js'
import { removeWatch } from '../sql/remove-watch.js'
import { watchSnapshot } from '../sql/watch-snapshot.js'
import { watchState } from '../sql/watch-state.js'
import type { Batch } from '../stream/batch.js'
import { parseAfter, position } from '../stream/position.js'
import type { Stream } from '../stream/stream.js'
import type { Streams } from '../stream/streams.js'
import { type Bootstrap, openBootstrap } from './bootstrap.js'
import {
  type BootstrapOptions,
  type ChangesOptions,
  resolveWatch,
  type WatchDefinition,
  type WatchOptions,
} from './options.js'
import type { RowChange, WatchedChange } from './row-change.js'

/**
 * How a watch stands in the database.
 *
 * - `'absent'`: there is none on this stream.
 * - `'installed'`: as asked.
 * - `'outdated'`: as asked, but the table has got other columns, another key or another name since. It works, and each statement on the table takes
 *   longer; `install()` ends that.
 * - `'changed'`: with other options, on another table, or with a trigger missing or disabled; `install()` makes it what was asked.
 */
export type WatchState = 'absent' | 'installed' | 'outdated' | 'changed'

/** SQL that installs and removes a watch, a statement each. */
export interface WatchSql {
  readonly up: readonly string[]
  readonly down: readonly string[]
}

/** What the server's refusals mean. */
const REFUSALS: Readonly<Record<string, PubSubErrorCode>> = {
  '42P01': 'PUBSUB_UNKNOWN_TABLE',
  '42703': 'PUBSUB_UNKNOWN_COLUMN',
  '42809': 'PUBSUB_UNWATCHABLE_TABLE',
  '42P16': 'PUBSUB_UNWATCHABLE_TABLE',
  '42501': 'PUBSUB_NOT_TABLE_OWNER',
  '22023': 'PUBSUB_INVALID_CONDITION',
}

/**
 * The changes of a table as a stream; made by {@link PubSub.watch}.
 *
 * Triggers on the table append what a statement changed to the stream, in the transaction of the statement: what rolls back was never told, and what is
 * committed is told, whoever wrote it. The key of a message is the text of the row's primary key.
 */
export class Watch<Row = Record<string, unknown>> {
  readonly #streams: Streams
  readonly #definition: WatchDefinition

  /** The stream of the changes. */
  readonly stream: Stream<RowChange<Row>>

  /** @internal */
  constructor(
    table: TableName,
    options: WatchOptions,
    streams: Streams,
    open: (stream: string) => Stream<RowChange<Row>>,
  ) {
    this.#definition = resolveWatch(table, options)
    this.#streams = streams
    this.stream = open(this.#definition.stream)
  }

  /**
   * Writes the SQL that installs the watch and that removes it, for a migration tool. The tables of this package must be there before. A table
   * without a schema is looked for in the `search_path` the SQL runs with.
   */
  sql(): WatchSql {
    const { schema } = this.#streams.db
    const { table, stream, columns, where, diff, old } = this.#definition
    const settings = [
      `${literal(table)}::regclass`,
      `_stream => ${literal(stream)}`,
      ...(columns === null
        ? []
        : [`_columns => array[${columns.map(literal).join(', ')}]::text[]`]),
      ...(where === null ? [] : [`_where => ${literal(where)}`]),
      ...(diff ? ['_diff => true'] : []),
      ...(old ? ['_old => true'] : []),
    ]
    return {
      up: [`select ${schema}.watch_install(\n  ${settings.join(',\n  ')}\n)`],
      down: [`select ${schema}.watch_remove(${literal(stream)})`],
    }
  }

  /**
   * Puts the triggers on the table, in one transaction. Does nothing when they are there as asked, and replaces what the stream was told
   * before. Writes to the table wait for a moment, and the call waits for transactions that have written to it.
   *
   * @throws {@link HowdahError} PUBSUB_UNKNOWN_TABLE, PUBSUB_UNKNOWN_COLUMN, PUBSUB_UNWATCHABLE_TABLE, PUBSUB_INVALID_CONDITION when the options do
   * not fit the database
   * @throws {@link HowdahError} PUBSUB_NOT_TABLE_OWNER when the pool's role is not the table's owner
   */
  async install(): Promise<void> {
    const { db } = this.#streams
    await this.stream.open()
    await db.query(installWatch(db.schema, this.#definition)).catch(refused)
  }

  /** Takes the triggers and their function away, if they are there. The stream stays, with what is in it. */
  async remove(): Promise<void> {
    const { db } = this.#streams
    await this.stream.open()
    await db.query(removeWatch(db.schema, this.#definition.stream)).catch(refused)
  }

  /** Tells whether the watch is installed, and as asked. */
  async installed(): Promise<WatchState> {
    const { db } = this.#streams
    await this.stream.open()
    const [row] = await db.query(watchState(db.schema, this.#definition))
    return (row as { state: WatchState }).state
  }

  /**
   * Reads the rows of the table that are told, and the position in the stream that belongs to them: each change that the rows do not show comes after
   * it, and none that they show. Takes two connections of the pool for a moment, and one until the rows are read or `close()` is called.
   *
   * @throws {@link HowdahError} PUBSUB_NOT_WATCHED when the watch is not installed, or with other options
   * @throws {@link HowdahError} PUBSUB_NO_CONNECTION when the pool has no second connection to give within ten seconds
   *
   * @example
   * ```ts
   * import { PubSub } from '@howdah/pubsub'
   * import { Pool } from 'pg'
   *
   * const orders = new PubSub({ pool: new Pool() }).watch<{ id: number; status: string }>('orders')
   * await orders.install()
   * const known = new Map<string, { id: number; status: string }>()
   * const { rows, position } = await orders.bootstrap()
   * for await (const { id, row } of rows) known.set(id, row)
   * for await (const change of orders.changes({ after: position })) console.log(change.op, change.id)
   * ```
   */
  async bootstrap(options: BootstrapOptions = {}): Promise<Bootstrap<Row>> {
    const { db } = this.#streams
    const stream = await this.stream.open()
    const [found] = await db.query(watchSnapshot(db.schema, this.#definition)).catch(refused)
    const { state, named, query } = found ?? {}
    if (state === 'absent' || state === 'changed' || named == null || query == null) {
      throw pubSubError(
        'PUBSUB_NOT_WATCHED',
        `The watch of ${this.#definition.table} is ${state === 'changed' ? 'installed with other options' : 'not installed'}. Call install() first.`,
      )
    }
    return openBootstrap<Row>(db, { stream, named, query }, options)
  }

  /**
   * Iterates over the changes, and waits for more at the end, until the signal aborts or the loop is left. Where changes are gone for good it goes on
   * with a change `'lost'` before those that follow.
   */
  async *changes(options: ChangesOptions = {}): AsyncGenerator<WatchedChange<Row>, void, void> {
    const { after = 'latest', signal } = options
    for await (const batch of this.stream.batches({ after, signal })) {
      if (batch.continuity !== 'ok') {
        yield { op: 'lost', reason: batch.continuity, id: undefined, position: begin(batch) }
      }
      for (const { payload, key, position } of batch.messages) {
        yield { ...payload, id: key, position }
      }
    }
  }
}

/** Position before the first message of a batch. */
function begin({ messages, next }: Batch): string {
  const [first] = messages
  if (first === undefined) return next
  return position(parseAfter(first.position).epoch ?? 1, first.offset - 1)
}

function refused(error: unknown): never {
  const code = REFUSALS[sqlState(error) ?? '']
  if (code === undefined || isHowdahError(error)) throw error
  throw refusal(code, error)
}

function refusal(code: PubSubErrorCode, error: unknown): HowdahError<PubSubErrorCode> {
  return pubSubError(code, (error as Error).message, error)
}
