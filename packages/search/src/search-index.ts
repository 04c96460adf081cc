import { Database, sqlState, type TransactionHandle, tracer } from '@howdah/core'
import {
  type AttachOptions,
  attach,
  definitionChanged,
  describe,
  detach,
  generationsOf,
} from './attach.js'
import { SearchRules } from './curation/search-rules.js'
import { searchError } from './errors.js'
import { highlightPage } from './highlight/highlight-page.js'
import { Maintenance } from './maintenance.js'
import { migrations } from './migrations/migrations.js'
import { fingerprint, type IndexNames, indexNames } from './names.js'
import { attributesOf } from './native/attributes.js'
import { type Definition, fieldsOf, resolveDefinition, type SearchIndexOptions } from './options.js'
import { QueryPlanner } from './query/query-planner.js'
import { resolveRequest, type SearchOptions, type SearchRequest } from './search-request.js'
import {
  nothingFound,
  resultOf,
  type SearchIndexStatus,
  type SearchResult,
} from './search-result.js'
import type { GenerationRow } from './sql/find-index.js'
import { readProgress } from './sql/read-progress.js'
import { readStatus } from './sql/read-status.js'
import { SearchStatements } from './sql/search-statements.js'
import type { SearchRow } from './sql/searched.js'
import { readScope, resolveTenant, type TenantScope } from './tenant/tenant-scope.js'
import { type Suggestion, type SuggestOptions, suggest } from './vocabulary/suggest.js'

/** What this process knows of the attached index, until it finds it changed. */
interface Attached {
  readonly names: IndexNames
  readonly vocabulary: number
  readonly planner: QueryPlanner
  /** Whether policies decide which rows a role sees. */
  readonly secured: boolean
  readonly statements: SearchStatements
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
    this.#maintenance = new Maintenance(this.#db, async (fresh = false) => {
      if (fresh) this.#attached = undefined
      return this.#known()
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
        const request = resolveRequest(this.#definition, options, this.#db.tenantId)
        const find = () => this.#search(query, request, options.client)
        return await this.#again(find, options.client === undefined)
      },
    )
  }

  /**
   * Completes the last word of what somebody has typed so far from the words of the rows, the most frequent first, or corrects it where no word
   * begins so. Words of new rows are suggested some seconds after the commit. Words of an index with tenants are those of one. Where
   * row-level security binds the caller, nothing is answered, unless the index says that its policies go by tenant and the caller sees the tenant's rows.
   *
   * @throws {@link HowdahError} SEARCH_INVALID_QUERY, SEARCH_NOT_ATTACHED, SEARCH_DEFINITION_CHANGED
   */
  suggest(typed: string, options: SuggestOptions = {}): Promise<Suggestion[]> {
    const find = async () => {
      const { vocabulary: index, planner, ...attached } = await this.#known()
      const value = resolveTenant(this.#definition, options.tenant, this.#db.tenantId)
      const scope = await this.#scopeOf(attached.names, value, options.client)
      const from = { index, tenant: scope?.word ?? '' }
      const found = await suggest(this.#db, planner.lexemes, from, typed, options)
      if (value === undefined) return attached.secured ? [] : found
      return scope === undefined || scope.secured ? [] : found
    }
    return this.#again(find, options.client === undefined)
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

  async #search(
    query: string,
    request: SearchRequest,
    client: TransactionHandle | undefined,
  ): Promise<SearchResult<Row>> {
    const attached = await this.#known()
    const { planner } = attached
    const { mode, prefix, highlight } = request
    const scope = await this.#scopeOf(attached.names, request.tenant, client)
    if (request.tenant !== undefined && scope === undefined) return nothingFound(request)
    const secured = scope === undefined ? attached.secured : scope.secured
    // The words of rows that a policy hides are not for everybody.
    const fuzzy = request.fuzzy && !secured
    const tenant = scope?.word ?? ''
    const plan = await planner.plan(query, { mode, fuzzy, prefix, tenant, client })
    const asked = attached.statements.search(plan, request, scope)
    const [row] = await this.#db.query(asked, client)
    const { hits, ...found } = resultOf<Row>(row as SearchRow, request)
    const { corrections, didYouMean } = plan
    if (highlight === undefined) return { ...found, hits, corrections, didYouMean }
    const page = hits.map((hit) => hit.row as Record<string, unknown>)
    const shown = await highlightPage(page, plan, highlight, planner.lexemes, client)
    const marked = hits.map((hit, at) => ({ ...hit, highlights: shown[at] ?? {} }))
    return { ...found, hits: marked, corrections, didYouMean }
  }

  /** Undefined without a tenant, and for one of whom there is nothing to tell. */
  async #scopeOf(
    names: IndexNames,
    tenant: string | undefined,
    client: TransactionHandle | undefined,
  ): Promise<TenantScope | undefined> {
    if (tenant === undefined) return undefined
    return readScope(this.#db, names, this.#definition, tenant, client)
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
    const { columns, secured, language } = await describe(this.#db, this.#definition)
    const names = indexNames(this.#db.schema, known.id, known.generation)
    this.#maintenance.start()
    const { id, vocabulary } = known
    const fields = fieldsOf(this.#definition)
    const planner = new QueryPlanner(this.#db, { id, vocabulary, language, fields })
    const statements = new SearchStatements({
      definition: this.#definition,
      names,
      types: columns,
      attributes: attributesOf(this.#definition, columns),
      secured,
    })
    return { names, vocabulary, planner, secured, statements }
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
