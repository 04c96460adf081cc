import { Database, type Statement, sqlState, type TransactionHandle, tracer } from '@howdah/core'
import { attach, definitionChanged, describe, detach, triggerNames } from './attach.js'
import { SearchRules } from './curation/search-rules.js'
import { searchError } from './errors.js'
import { highlightPage } from './highlight/highlight-page.js'
import { migrations } from './migrations/migrations.js'
import { fingerprint, type IndexNames, indexNames } from './names.js'
import { type Definition, fieldsOf, resolveDefinition, type SearchIndexOptions } from './options.js'
import type { Correction, QueryPlan } from './query/query-plan.js'
import { QueryPlanner } from './query/query-planner.js'
import { resolveRequest, type SearchOptions, type SearchRequest } from './search-request.js'
import type { ColumnType } from './sql/describe-table.js'
import { findIndex, type IndexRow } from './sql/find-index.js'
import { foldWords } from './sql/fold-words.js'
import { readStatus } from './sql/read-status.js'
import { type SearchRow, type SearchValues, searchDocuments } from './sql/search-documents.js'
import { type Suggestion, type SuggestOptions, suggest } from './vocabulary/suggest.js'

/** One row that was found. */
export interface SearchHit<Row> {
  /** The row's key, as PostgreSQL writes it as text. */
  readonly key: string
  /** BM25 score; 0 where the query has no words. */
  readonly score: number
  /** The row as it is now, as PostgreSQL's `to_jsonb` gives it: times are strings, and numbers beyond 2^53 lose digits. */
  readonly row: Row
  /** With `highlight`: fields as HTML, escaped, with marks around what was found. */
  readonly highlights?: Readonly<Record<string, string>>
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
  /** Words that no row has, or hardly one, with the words that were searched besides. */
  readonly corrections: readonly Correction[]
  /** The query with its corrections put in; undefined where there are none. */
  readonly didYouMean: string | undefined
}

/** How an index stands. */
export interface SearchIndexStatus {
  readonly documents: number
  /** Rows of which only the beginning is indexed, and why: the first 100. */
  readonly partial: readonly { readonly key: string; readonly problem: string }[]
  /** Writes the index could not follow, so that it needs `rebuild()`: the first 100. */
  readonly errors: readonly { readonly at: Date; readonly code: string; readonly message: string }[]
}

/** What this process knows of the attached index, until it finds it changed. */
interface Attached {
  readonly names: IndexNames
  readonly id: number
  readonly planner: QueryPlanner
  readonly types: Readonly<Record<string, ColumnType>>
  readonly statements: Map<string, (values: SearchValues) => Statement<SearchRow>>
}

const searchTracer = tracer('@howdah/search:search')

/** A value that its column cannot be: invalid text, date out of range or malformed, number out of range. */
const BAD_VALUE = new Set(['22P02', '22003', '22007', '22008'])
/** The table of documents is gone: the index was rebuilt or detached by another process. */
const UNDEFINED_TABLE = '42P01'

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
  #attached: Promise<Attached> | undefined
  /** Synonyms, stop words, and results that are pinned or hidden. */
  readonly rules: SearchRules
  #closed = false

  /**
   * @throws {@link HowdahError} SEARCH_INVALID_OPTION when the name or an option is not valid, CORE_INVALID_SOURCE when `pool`
   * is none
   */
  constructor(name: string, options: SearchIndexOptions) {
    this.#definition = resolveDefinition(name, options)
    this.#db = Database.from(options.pool)
    this.rules = new SearchRules(this.#db, async () => {
      await this.#ready()
      return (await this.#find()).id
    })
  }

  /**
   * Makes the index if it is not there: tables of its own in Howdah's schema, triggers on the application's table, and a
   * document for every row. Writes to the table wait while that runs, reads do not. Any number of processes may call it
   * at once; one does the work.
   *
   * @throws {@link HowdahError} SEARCH_UNKNOWN_TABLE, SEARCH_UNKNOWN_COLUMN, SEARCH_UNKNOWN_LANGUAGE, SEARCH_KEY_NOT_UNIQUE
   * when the options do not fit the database
   * @throws {@link HowdahError} SEARCH_DEFINITION_CHANGED when the index is there with other fields
   */
  attach(): Promise<void> {
    return this.#change(async () => {
      await attach(this.#db, this.#definition)
      await this.#fold()
    })
  }

  /**
   * Builds the index anew with the options of this object, and puts it in the place of the old one, which is searched until then.
   * Writes to the table wait meanwhile.
   *
   * @throws {@link HowdahError} as {@link SearchIndex.attach}, except SEARCH_DEFINITION_CHANGED
   */
  rebuild(): Promise<void> {
    return this.#change(async () => {
      await attach(this.#db, this.#definition, { rebuild: true })
      await this.#fold()
    })
  }

  /** Removes the index, its tables and its triggers. Does nothing when it is not there. */
  detach(): Promise<void> {
    return this.#change(() => detach(this.#db, this.#definition))
  }

  /**
   * Finds rows by words, `"phrases"`, `-excluded` words, `field:word`, `prefix*` and `OR`, the best first. An empty query finds everything.
   * No query is an error; of a very long one the first 4096 characters and 400 words are read.
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
        const find = () => this.#search(query, request, options.client)
        return await this.#again(find, options.client === undefined)
      },
    )
  }

  /**
   * Completes the last word of what somebody has typed so far from the words of the rows, the most frequent first, or corrects it where no word
   * begins so. Words of new rows are suggested after the next {@link SearchIndex.maintain}.
   *
   * @throws {@link HowdahError} SEARCH_INVALID_QUERY, SEARCH_NOT_ATTACHED, SEARCH_DEFINITION_CHANGED
   */
  suggest(typed: string, options: SuggestOptions = {}): Promise<Suggestion[]> {
    const find = async () => {
      const { id, planner } = await this.#known()
      return suggest(this.#db, planner.lexemes, { index: id, tenant: '' }, typed, options)
    }
    return this.#again(find, options.client === undefined)
  }

  /** Adds up what writers noted for the vocabulary. Call it now and then, in any process; writers and searches go on. */
  async maintain(): Promise<void> {
    await this.#ready()
    await this.#fold()
  }

  /** Tells how many rows are indexed, which only in part, and what went wrong. */
  async status(): Promise<SearchIndexStatus> {
    const read = async () => {
      await this.#ready()
      const { id, generation } = await this.#find()
      const names = indexNames(this.#db.schema, id, generation)
      return this.#db.query(readStatus(this.#db.schema, id, names))
    }
    const [row] = await this.#again(read, true)
    const { documents = '0', partial = [], errors = [] } = row ?? {}
    return {
      documents: Number(documents),
      partial,
      errors: errors.map((error) => ({ ...error, at: new Date(error.at) })),
    }
  }

  /** Refuses further calls. The index and the pool stay. */
  async close(): Promise<void> {
    this.#closed = true
  }

  /** Closes at the end of an `await using` block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #search(
    query: string,
    request: SearchRequest,
    client: TransactionHandle | undefined,
  ): Promise<SearchResult<Row>> {
    const attached = await this.#known()
    const { mode, fuzzy, prefix, highlight } = request
    const { planner } = attached
    const plan = await planner.plan(query, { mode, fuzzy, prefix, tenant: '', client })
    const statement = this.#statement(attached, plan, request)
    const [row] = await this.#db.query(statement(values(plan, request)), client)
    const { hits, ...found } = result<Row>(row as SearchRow, this.#definition, request)
    const { corrections, didYouMean } = plan
    if (highlight === undefined) return { ...found, hits, corrections, didYouMean }
    const page = hits.map((hit) => hit.row as Record<string, unknown>)
    const shown = await highlightPage(page, plan, highlight, planner.lexemes, client)
    const marked = hits.map((hit, at) => ({ ...hit, highlights: shown[at] ?? {} }))
    return { ...found, hits: marked, corrections, didYouMean }
  }

  async #fold(): Promise<void> {
    const { id } = await this.#find()
    for (;;) {
      const [row] = await this.#db.query(foldWords(this.#db.schema, id))
      if ((row?.folded ?? 0) === 0) return
    }
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

  async #find(): Promise<IndexRow> {
    const { schema } = this.#db
    const { name } = this.#definition
    const [known] = await this.#db.query(findIndex(schema, name, triggerNames(schema, name)))
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
    const { columns, language } = await describe(this.#db, this.#definition)
    const names = indexNames(this.#db.schema, known.id, known.generation)
    const fields = fieldsOf(this.#definition)
    const planner = new QueryPlanner(this.#db, { id: known.id, language, fields })
    return { names, id: known.id, planner, types: columns, statements: new Map() }
  }

  #statement(attached: Attached, plan: QueryPlan, request: SearchRequest) {
    const ranked = !plan.blank
    const sort = request.sort ?? (ranked ? [] : this.#definition.sort)
    const variant = JSON.stringify([ranked, sort])
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
      if (state === UNDEFINED_TABLE) {
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

function values(plan: QueryPlan, request: SearchRequest): SearchValues {
  const { limit, offset, facets, filters } = request
  return { plan, limit, offset, facets, filters }
}

function result<Row>(
  row: SearchRow,
  { facets }: Definition,
  request: SearchRequest,
): Pick<SearchResult<Row>, 'total' | 'hits' | 'facets'> {
  const counted = facets.flatMap((column, at) =>
    request.facets.includes(column) ? [[column, row.facets[at] ?? []] as const] : [],
  )
  return {
    total: Number(row.total),
    hits: row.hits as unknown as SearchHit<Row>[],
    facets: Object.fromEntries(counted) as SearchResult<Row>['facets'],
  }
}
