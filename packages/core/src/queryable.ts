/**
 * The parts of other libraries that Howdah uses, described by shape: no type of `pg` or of any ORM appears in our
 * declarations, so their versions never clash with yours.
 */

/** What a query answers with. */
export interface QueryResultLike {
  // biome-ignore lint/suspicious/noExplicitAny: rows are typed where a statement is run
  readonly rows: any[]
}

/** One statement in the form `pg` takes it. */
export interface QueryConfigLike {
  readonly text: string
  readonly values?: unknown[] | undefined
  readonly name?: string
}

/** Anything that runs one statement on one connection or on any connection of a pool, in the way `pg` does. */
export interface Queryable {
  query(config: QueryConfigLike): Promise<QueryResultLike>
}

/** The part of `pg.PoolClient` we use. */
export interface PoolClientLike extends Queryable {
  release(error?: Error | boolean): void
}

/** The part of `pg.Pool` we use. We never end it and never keep a connection of it longer than one transaction. */
export interface PoolLike extends Queryable {
  connect(): Promise<PoolClientLike>
}

/** The part of a PGlite database we use. */
export interface PGliteLike {
  query(
    text: string,
    values?: unknown[],
    // biome-ignore lint/suspicious/noExplicitAny: PGlite's own options type
    options?: any,
  ): Promise<QueryResultLike>
  // biome-ignore lint/suspicious/noExplicitAny: PGlite's transaction object, narrowed where it is used
  transaction<T>(fn: (tx: any) => Promise<T>): Promise<T>
  listen(channel: string, callback: (payload: string) => void): Promise<unknown>
  readonly waitReady: Promise<void>
}
