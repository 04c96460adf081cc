/** The key of a row, by column: what is in its primary key. Numbers of type `bigint` and `numeric` are strings. */
export type RowKey = Readonly<Record<string, string | number | boolean | null>>

interface Told {
  readonly key: RowKey
  /**
   * Watched columns that are not told: those above 64 kB of a row above 1 MiB, and those the table has no longer. Read them by the key, if need
   * be. Not there where there are none.
   */
  readonly omitted?: readonly string[]
}

/** A row that was inserted, or (`'enter'`) that began to fulfil the condition. */
export interface RowAdded<Row> extends Told {
  readonly op: 'insert' | 'enter'
  readonly row: Row
}

/** A row that fulfilled the condition, still does, and of which watched columns have changed. */
export interface RowUpdated<Row> extends Told {
  readonly op: 'update'
  /** All watched columns; with `diff` those that changed. */
  readonly row: Partial<Row>
  /** Names of the columns that changed, with `diff`. */
  readonly changed?: readonly string[]
  /** With `old`: what `row` holds, as it was before. */
  readonly old?: Partial<Row>
}

/** A row that was deleted, or (`'leave'`) that no longer fulfils the condition. */
export interface RowRemoved<Row> extends Told {
  readonly op: 'delete' | 'leave'
  /** With `old`: the row as it was. */
  readonly old?: Row
}

/** All rows are gone, by TRUNCATE. */
export interface TableTruncated {
  readonly op: 'truncate'
}

/** Changes happened that could not be told: what is known of the table is out of date, and is to be read anew with {@link Watch.bootstrap}. */
export interface ChangesLost {
  readonly op: 'lost'
  /**
   * SQLSTATE of what stood in the way: the server's log says more. From {@link Watch.changes} also `'truncated'`, for messages that are no longer
   * kept, and `'reset'`, for a server that was replaced by one that never had what was read.
   */
  readonly reason: string
}

/** One change of a watched table: the payload of a message of its stream. */
export type RowChange<Row> =
  | RowAdded<Row>
  | RowUpdated<Row>
  | RowRemoved<Row>
  | TableTruncated
  | ChangesLost

/** A row of {@link Watch.bootstrap}. */
export interface WatchedRow<Row> extends Told {
  /** Text of the key, which is the key of the messages about the row. */
  readonly id: string
  readonly row: Row
}

/** A change as {@link Watch.changes} answers it. */
export type WatchedChange<Row> = RowChange<Row> & {
  /** Text of the key, for a map; `undefined` for `'truncate'` and `'lost'`. */
  readonly id: string | undefined
  /** Where to read on after it. */
  readonly position: string
}
