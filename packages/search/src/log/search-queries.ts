import {
  type Database,
  type Duration,
  isHowdahError,
  parseDuration,
  type TransactionHandle,
} from '@howdah/core'
import { searchError } from '../errors.js'
import { type LoggedQueryRow, readQueries } from '../sql/query-log.js'

/** Which part of the log to look at. */
export interface QueriesOptions {
  /** How far back to look. @defaultValue `'7d'` */
  readonly within?: Duration | undefined
  /** Queries to answer, at most 1000. @defaultValue `20` */
  readonly limit?: number | undefined
  readonly client?: TransactionHandle | undefined
}

/** What the log has of one query. */
export interface LoggedQuery {
  /** In small letters and without needless spaces; in a hashed log `#` and its hash. */
  readonly query: string
  /** How often it was searched for. */
  readonly searches: number
  /** How often it found nothing. */
  readonly zeroHits: number
  /** How often a mistyped word was found in it. */
  readonly corrected: number
  /** Rows it found the last time. */
  readonly hits: number
  /** How long half of its searches took at most, seen from the process. */
  readonly p50Ms: number
  /** The same of 95 in a hundred. */
  readonly p95Ms: number
  readonly lastAt: Date
}

const MAX_LIMIT = 1000

/**
 * The log of an index's queries, where the option `log` has it kept: by all processes, for as long as it says. Searches are in it a second later; those of this
 * process at once.
 *
 * @example
 * ```ts
 * import { SearchIndex } from '@howdah/search'
 * import { Pool } from 'pg'
 *
 * const offers = new SearchIndex('offers', { pool: new Pool(), table: 'offers', key: 'id', fields: { title: {} }, log: 'plain' })
 * for (const { query, zeroHits } of await offers.queries.zeroHits({ within: '1d' })) console.log(query, zeroHits)
 * ```
 */
export class SearchQueries {
  readonly #db: Database
  readonly #index: () => Promise<number>

  /** Made by {@link SearchIndex.queries}; `index` flushes what waits. @internal */
  constructor(db: Database, index: () => Promise<number>) {
    this.#db = db
    this.#index = index
  }

  /**
   * Answers the queries that were searched for most.
   *
   * @throws {@link HowdahError} SEARCH_INVALID_QUERY, SEARCH_NOT_ATTACHED
   */
  top(options?: QueriesOptions): Promise<LoggedQuery[]> {
    return this.#read('top', options)
  }

  /**
   * Answers the queries that most often found nothing: what people miss, or call by other words.
   *
   * @throws {@link HowdahError} SEARCH_INVALID_QUERY, SEARCH_NOT_ATTACHED
   */
  zeroHits(options?: QueriesOptions): Promise<LoggedQuery[]> {
    return this.#read('zeroHits', options)
  }

  /**
   * Answers the queries whose slowest searches took longest, by `p95Ms`.
   *
   * @throws {@link HowdahError} SEARCH_INVALID_QUERY, SEARCH_NOT_ATTACHED
   */
  slow(options?: QueriesOptions): Promise<LoggedQuery[]> {
    return this.#read('slow', options)
  }

  async #read(
    by: keyof typeof readQueries,
    { within = '7d', limit = 20, client }: QueriesOptions = {},
  ): Promise<LoggedQuery[]> {
    if (!Number.isSafeInteger(limit) || limit < 1 || limit > MAX_LIMIT) {
      throw searchError(
        'SEARCH_INVALID_QUERY',
        `limit must be a whole number from 1 to ${MAX_LIMIT}.`,
      )
    }
    const withinMs = duration(within)
    const index = await this.#index()
    const statement = readQueries[by](this.#db.schema, index, withinMs, limit)
    return (await this.#db.query(statement, client)).map(asQuery)
  }
}

function asQuery({ query, searches, empty, corrected, hits, median, slow, last }: LoggedQueryRow) {
  return {
    query,
    searches,
    zeroHits: empty,
    corrected,
    hits: Number(hits),
    p50Ms: median,
    p95Ms: slow,
    lastAt: new Date(last),
  }
}

/** @throws {@link HowdahError} SEARCH_INVALID_QUERY */
function duration(within: Duration): number {
  try {
    return parseDuration(within, 'within')
  } catch (cause) {
    if (!isHowdahError(cause)) throw cause
    throw searchError('SEARCH_INVALID_QUERY', cause.message, { cause })
  }
}
