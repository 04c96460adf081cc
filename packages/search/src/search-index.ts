import { Database, type Statement, sqlState, type TransactionHandle, tracer } from '@howdah/core'
import {
  type AttachOptions,
  attach,
  definitionChanged,
  describe,
  detach,
  type FillProgress,
  generationsOf,
} from './attach.js'
import { searchError } from './errors.js'
import { Maintenance } from './maintenance.js'
import { migrations } from './migrations/migrations.js'
import { fingerprint, type IndexNames, indexNames } from './names.js'
import { type Definition, resolveDefinition, type SearchIndexOptions } from './options.js'
import { parseQuery, type QueryUnit } from './parse-query.js'
import { resolveRequest, type SearchOptions, type SearchRequest } from './search-request.js'
import type { ColumnType } from './sql/describe-table.js'
import type { GenerationRow } from './sql/find-index.js'
import { readProgress } from './sql/read-progress.js'
import { readStatus } from './sql/read-status.js'
import { type SearchRow, type SearchValues, searchDocuments } from './sql/search-documents.js'

/** One row that was found. */
export interface SearchHit<Row> {
  /** The row's key, as PostgreSQL writes it as text. */
  readonly key: string
  /** BM25 score; 0 where the query has no words. */
  readonly score: number
  /** The row as it is now, as PostgreSQL's `to_jsonb` gives it: times are strings, and numbers beyond 2^53 lose digits. */
  readonly row: Row
}

/** How often a value occurs among everything that matches. */
export interface FacetValue {
  readonly value: string | number | boolean
  readonly count: number
}

/** What a search answers. */
export interface SearchResult<Row> {
  /** How many rows match, on all pages together. */
  readonly total: number
  readonly hits: readonly SearchHit<Row>[]
  /** For each facet that was asked for its values, the most frequent first, at most 100. */
  readonly facets: Readonly<Record<string, readonly FacetValue[]>>
}

/** How an index stands. */
export interface SearchIndexStatus {
  readonly documents: number
  /** Those among them that are not in a segment yet, and versions that are no more; searches look at each. */
  readonly hot: number
  readonly segments: number
  /** How far the rows that were there before the index have come; undefined once all are in. */
  readonly filling: FillProgress | undefined
  /** Rows of which only the beginning is indexed, and why: the first 100. */
  readonly partial: readonly { readonly key: string; readonly problem: string }[]
  /** Writes the index could not follow, so that it needs `rebuild()`: the first 100. */
  readonly errors: readonly { readonly at: Date; readonly code: string; readonly message: string }[]
}

/** What this process knows of the attached index, until it finds it changed. */
interface Attached {
  readonly names: IndexNames
  readonly types: Readonly<Record<string, ColumnType>>
  /** Whether policies decide which rows a role sees. */
  readonly secured: boolean
  readonly statements: Map<string, (values: SearchValues) => Statement<SearchRow>>
}

const searchTracer = tracer('@howdah/search:search')

/** A value that its column cannot be: invalid text, date out of range or malformed, number out of range. */
const BAD_VALUE = new Set(['22P02', '22003', '22007', '22008'])
/** A table or function is gone: the index was rebuilt or detached by another process. */
const GONE = new Set(['42P01', '42883'])

/**
 * Full-text search over a table of the application, ranked by BM25 and kept current by triggers in the transaction of each
 * write.
 *
 * @example
 * ```ts
 * import { SearchIndex } from '@howdah/search'
 * import { Pool } from 'pg'
 *
 * const offers = new SearchIndex('offers', {
 *   pool: new Pool(),
 *   table: 'public.offers',
 *   key: 'id',
 *   fields: { title: { weight: 2 }, body: {} },
 *   facets: ['category'],
 * })
 * await offers.attach()
 * const { total, hits, facets } = await offers.search('"free trial" music -student', {
 *   filters: { category: ['audio', 'video'] },
 *   facets: ['category'],
 * })
 * await offers.close()
 * ```
 */
export class SearchIndex<Row = Record<string, unknown>> {
  readonly #db: Database
  readonly #definition: Definition
  readonly #maintenance: Maintenance
  #attached: Promise<Attached> | undefined
  #closed = false

  /**
   * @throws {@link HowdahError} SEARCH_INVALID_OPTION when the name or an option is not valid, CORE_INVALID_SOURCE when `pool`
   * is none
   */
  constructor(name: string, options: SearchIndexOptions) {
    this.#definition = resolveDefinition(name, options)
    this.#db = Database.from(options.pool)
    this.#maintenance = new Maintenance(this.#db, async (fresh = false) => {
      if (fresh) this.#attached = undefined
      return (await this.#known()).names
    })
  }

  /**
   * Makes the index if it is not there: tables of its own in Howdah's schema, triggers on the application's table, and a
   * document for every row. The table is locked for a moment, to make the triggers; then rows are read while
   * others write, and searches find what has been read. Any number of processes may call it at once; they take turns.
   *
   * @throws {@link HowdahError} SEARCH_UNKNOWN_TABLE, SEARCH_UNKNOWN_COLUMN, SEARCH_UNKNOWN_LANGUAGE, SEARCH_KEY_NOT_UNIQUE
   * when the options do not fit the database
   * @throws {@link HowdahError} SEARCH_DEFINITION_CHANGED when the index is there with other fields
   */
  async attach(options: AttachOptions = {}): Promise<void> {
    await this.#change(() => attach(this.#db, this.#definition, options))
    this.#maintenance.start()
  }

  /**
   * Builds the index anew with the options of this object, beside the old one, which is searched until the new one takes its place. Writes go on,
   * and go to both. A rebuild that was interrupted is gone on with.
   *
   * @throws {@link HowdahError} as {@link SearchIndex.attach}, except SEARCH_DEFINITION_CHANGED
   */
  async rebuild(options: AttachOptions = {}): Promise<void> {
    await this.#change(() => attach(this.#db, this.#definition, { ...options, rebuild: true }))
    this.#maintenance.start()
  }

  /** Removes the index, its tables and its triggers. Does nothing when it is not there. */
  async detach(): Promise<void> {
    await this.#maintenance.stop()
    await this.#change(() => detach(this.#db, this.#definition))
  }

  /**
   * Does at once what goes on in the background, from when the index is attached or first searched until it is closed: moves new rows into segments
   * and removes what is no more. For after a bulk load, and before a measurement.
   */
  async maintain(): Promise<void> {
    await this.#ready()
    await this.#maintenance.runToEnd()
  }

  /**
   * Finds rows by words, `"phrases"`, `-excluded` words, `prefix*` and `OR`, the best first. An empty query finds everything.
   * No query is an error; of a very long one the first 4096 characters and 64 words are read.
   *
   * @throws {@link HowdahError} SEARCH_INVALID_QUERY when an option does not fit the index or a filter its column
   * @throws {@link HowdahError} SEARCH_NOT_ATTACHED, SEARCH_DEFINITION_CHANGED when there is no such index
   */
  search(
    query: string,
    options: SearchOptions & { readonly client?: TransactionHandle | undefined } = {},
  ): Promise<SearchResult<Row>> {
    return searchTracer.run(
      () => ({ target: this.#definition.name }),
      async () => {
        if (typeof query !== 'string') {
          throw searchError('SEARCH_INVALID_QUERY', 'The query must be a string.')
        }
        const request = resolveRequest(this.#definition, options)
        const units = parseQuery(query, request.mode)
        const find = async () => {
          const statement = this.#statement(await this.#known(), units, request)
          return this.#db.query(statement(values(units, request)), options.client)
        }
        const [row] = await this.#again(find, options.client === undefined)
        return result<Row>(row as SearchRow, this.#definition, request)
      },
    )
  }

  /** Tells how many rows are indexed, which only in part, and what went wrong. */
  async status(): Promise<SearchIndexStatus> {
    const { schema } = this.#db
    const read = async () => {
      await this.#ready()
      const { id, generation, filled } = await this.#find()
      const names = indexNames(schema, id, generation)
      const [row] = await this.#db.query(readStatus(schema, id, names))
      const [progress] = filled ? [] : await this.#db.query(readProgress(schema, id, generation))
      return { row, progress }
    }
    const { row, progress } = await this.#again(read, true)
    const { documents = '0', hot = '0', segments = 0, partial = [], errors = [] } = row ?? {}
    return {
      documents: Number(documents),
      hot: Number(hot),
      segments,
      filling: progress && { filled: Number(progress.filled), rows: Number(progress.rows) },
      partial,
      errors: errors.map((error) => ({ ...error, at: new Date(error.at) })),
    }
  }

  /** Refuses further calls. The index and the pool stay. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#maintenance.stop()
  }

  /** Closes at the end of an `await using` block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #change(change: () => Promise<void>): Promise<void> {
    await this.#ready()
    this.#attached = undefined
    try {
      await change()
    } finally {
      this.#attached = undefined
    }
  }

  async #ready(): Promise<void> {
    if (this.#closed) {
      throw searchError('SEARCH_CLOSED', 'This index was closed. Make a new SearchIndex object.')
    }
    await this.#db.migrator.ensure(migrations)
  }

  async #known(): Promise<Attached> {
    await this.#ready()
    if (this.#attached === undefined) {
      const reading = this.#read()
      this.#attached = reading
      // A failure is its callers' to hear of, and the next call tries again.
      reading.catch(() => {
        if (this.#attached === reading) this.#attached = undefined
      })
    }
    return this.#attached
  }

  async #find(): Promise<GenerationRow> {
    const { name } = this.#definition
    const known = (await generationsOf(this.#db, name)).find(({ live }) => live)
    if (known !== undefined) return known
    throw searchError(
      'SEARCH_NOT_ATTACHED',
      `There is no search index '${name}'. Call attach() first, where the application starts.`,
    )
  }

  async #read(): Promise<Attached> {
    const known = await this.#find()
    if (known.definition !== fingerprint(this.#definition))
      throw definitionChanged(this.#definition.name)
    const { columns, secured } = await describe(this.#db, this.#definition)
    const names = indexNames(this.#db.schema, known.id, known.generation)
    this.#maintenance.start()
    return { names, types: columns, secured, statements: new Map() }
  }

  #statement(attached: Attached, units: readonly QueryUnit[], request: SearchRequest) {
    const ranked = units.some((unit) => !unit.excluded)
    const sort = request.sort ?? (ranked ? [] : this.#definition.sort)
    // Under policies what matches has to be counted row by row.
    const top =
      ranked &&
      sort.length === 0 &&
      request.facets.length === 0 &&
      request.filters.every((allowed) => allowed === null) &&
      !attached.secured
    const variant = JSON.stringify([ranked, sort, top])
    let statement = attached.statements.get(variant)
    if (statement === undefined) {
      const { names, types } = attached
      const definition = this.#definition
      statement = searchDocuments({
        schema: this.#db.schema,
        definition,
        names,
        types,
        ranked,
        sort,
        top,
      })
      attached.statements.set(variant, statement)
    }
    return statement
  }

  /** Runs a read; once more when another process has meanwhile rebuilt the index. */
  async #again<T>(read: () => Promise<T>, mayRepeat: boolean): Promise<T> {
    try {
      return await read()
    } catch (error) {
      const state = sqlState(error)
      if (state !== undefined && GONE.has(state)) {
        this.#attached = undefined
        if (mayRepeat) return await read()
      }
      if (state !== undefined && BAD_VALUE.has(state)) {
        throw searchError(
          'SEARCH_INVALID_QUERY',
          `A filter's value is not one its column can have: ${(error as Error).message}.`,
          { cause: error },
        )
      }
      throw error
    }
  }
}

function values(units: readonly QueryUnit[], request: SearchRequest): SearchValues {
  const { minimumMatch: minimum, limit, offset, facets, filters } = request
  return { units, minimum, limit, offset, facets, filters }
}

function result<Row>(
  row: SearchRow,
  { facets }: Definition,
  request: SearchRequest,
): SearchResult<Row> {
  const counted = facets.flatMap((column, at) =>
    request.facets.includes(column) ? [[column, row.facets[at] ?? []] as const] : [],
  )
  return {
    total: Number(row.total),
    hits: row.hits as unknown as SearchHit<Row>[],
    facets: Object.fromEntries(counted) as SearchResult<Row>['facets'],
  }
}
