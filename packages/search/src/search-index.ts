import {
  Database,
  isHowdahError,
  type MetricReader,
  sqlState,
  type TransactionHandle,
  tracer,
} from '@howdah/core'
import { type AttachOptions, attach, definitionChanged, detach, generationsOf } from './attach.js'
import { type Attached, readAttached } from './attached.js'
import { SearchRules } from './curation/search-rules.js'
import { type SearchCapability, unsupported } from './engine/engine.js'
import { checkEngine, engineOf } from './engine/engine-of.js'
import { searchError } from './errors.js'
import { type ExplainOptions, keyText } from './explain/explain-options.js'
import {
  type Explanation,
  explainValues,
  explanationOf,
  NOTHING_THERE,
} from './explain/explanation.js'
import { highlightPage } from './highlight/highlight-page.js'
import { QueryLog } from './log/query-log.js'
import { SearchQueries } from './log/search-queries.js'
import { Maintenance } from './maintenance.js'
import { migrations } from './migrations/migrations.js'
import { fingerprint, indexNames } from './names.js'
import { type Definition, resolveDefinition, type SearchIndexOptions } from './options.js'
import { type AskPage, findPage } from './page/find-page.js'
import type { QueryPlan } from './query/query-plan.js'
import { understood } from './query/understood.js'
import { resolveRequest, type SearchOptions, type SearchRequest } from './search-request.js'
import { nothingFound, resultOf, type SearchResult } from './search-result.js'
import {
  type Likeness,
  type LikeThis,
  type MoreLikeThisOptions,
  planOf,
  resolveLikeness,
  sourceOf,
} from './similar/more-like-this.js'
import { type ExplainRow, explainDocument } from './sql/explain-document.js'
import type { GenerationRow } from './sql/find-index.js'
import { readProgress } from './sql/read-progress.js'
import type { StatsRow } from './sql/read-stats.js'
import { type TellingWords, tellingWords } from './sql/telling-words.js'
import { searchReader } from './stats/search-metrics.js'
import { SearchTimes } from './stats/search-times.js'
import { type SearchStats, statsOf } from './stats/stats.js'
import { readScope, resolveTenant, type TenantScope } from './tenant/tenant-scope.js'
import { type Suggestion, type SuggestOptions, suggest } from './vocabulary/suggest.js'

const searchTracer = tracer('@howdah/search:search')

/** A value that its column cannot be: invalid text, date out of range or malformed, number out of range, vector of another length. */
const BAD_VALUE = new Set(['22P02', '22003', '22007', '22008', '22000'])
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
  /** What was searched for, where the option `log` has it kept. */
  readonly queries: SearchQueries
  readonly #log: QueryLog | undefined
  readonly #times = new SearchTimes()
  #closed = false

  /**
   * @throws {@link HowdahError} SEARCH_INVALID_OPTION when the name or an option is not valid, CORE_INVALID_SOURCE when `pool`
   * is none, SEARCH_UNSUPPORTED when the engine cannot do what an option asks for
   */
  constructor(name: string, options: SearchIndexOptions) {
    this.#definition = resolveDefinition(name, options)
    checkEngine(this.#definition)
    this.#db = Database.from(options.pool)
    this.rules = new SearchRules(this.#db, async () => {
      await this.#ready()
      return (await this.#find()).id
    })
    const { log } = this.#definition
    // Also once it is closed, to write what is left.
    const known = async () => (await (this.#attached ?? this.#known())).id
    this.#log = log && new QueryLog(this.#db, log, known)
    this.queries = new SearchQueries(this.#db, async () => {
      const { id } = await this.#known()
      await this.#log?.flush()
      return id
    })
    this.#maintenance = new Maintenance(
      this.#db,
      async (fresh = false) => {
        if (fresh) this.#attached = undefined
        return this.#known()
      },
      async (now) => this.#log?.prune(now),
    )
  }

  /**
   * Makes the index if it is not there: tables of its own in Howdah's schema, triggers on the application's table, and a
   * document for every row. The table is locked for a moment, to make the triggers; then rows are read while
   * others write, and searches find what has been read. Any number of processes may call it at once; they take turns.
   *
   * With an engine that is not native, nobody writes to the table until it is indexed, and with `tsvector` nobody reads it: it is rewritten.
   *
   * @throws {@link HowdahError} SEARCH_UNKNOWN_TABLE, SEARCH_UNKNOWN_COLUMN, SEARCH_UNKNOWN_LANGUAGE, SEARCH_KEY_NOT_UNIQUE,
   * SEARCH_UNSUPPORTED when the options do not fit the database
   * @throws {@link HowdahError} SEARCH_ROWS_HIDDEN when row-level security of the table binds the role, before there is an index
   * @throws {@link HowdahError} SEARCH_ENGINE_MISSING when the database does not have the engine's extension
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

  /**
   * Removes the index, its tables and its triggers. Does nothing when it is not there.
   *
   * @throws {@link HowdahError} SEARCH_COLUMN_IN_USE when something, such as a view, was made on columns that the engine has on the table
   */
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
   * @throws {@link HowdahError} SEARCH_INVALID_CURSOR when `after` is not `next` of the same search
   * @throws {@link HowdahError} SEARCH_NO_VECTOR when `hybrid` is asked for, and pgvector or the column is not there
   * @throws {@link HowdahError} SEARCH_NOT_ATTACHED, SEARCH_DEFINITION_CHANGED when there is no such index
   */
  search(
    query: string,
    options: SearchOptions & { readonly client?: TransactionHandle | undefined } = {},
  ): Promise<SearchResult<Row>> {
    return searchTracer.run(
      () => ({ target: this.#definition.name }),
      async () => {
        const request = this.#requested(options)
        const find = () => this.#search(query, request, options.client)
        const { result } = await this.#times.time(
          () => this.#again(find, options.client === undefined),
          (found, ms) => this.#note(query, request, found, ms),
        )
        return result
      },
    )
  }

  /**
   * Says why a row ranks where it does, or why it is not found: the parts of its score, on one snapshot. Looks at every row that matches.
   *
   * @throws {@link HowdahError} SEARCH_INVALID_QUERY, SEARCH_NOT_ATTACHED, SEARCH_DEFINITION_CHANGED
   * @throws {@link HowdahError} SEARCH_UNSUPPORTED with an engine that is not native
   */
  async explain(
    query: string,
    key: string | number | bigint,
    options: ExplainOptions = {},
  ): Promise<Explanation> {
    const request = this.#requested({ ...options })
    const text = keyText(key)
    this.#requires('explain', 'cannot explain')
    const explain = async () => {
      const attached = await this.#known(options.client)
      const scope = await this.#scopeOf(attached, request.tenant, options.client)
      const plan = await this.#plan(attached, query, request, scope, options.client)
      if (scope?.nothing) return explanationOf(plan, text, NOTHING_THERE)
      const values = explainValues(plan, text, request, this.#definition, scope)
      const asked = explainDocument(attached.searched, values)
      const [row] = await this.#db.query(asked, options.client)
      return explanationOf(plan, text, row as ExplainRow)
    }
    return await this.#again(explain, options.client === undefined)
  }

  /**
   * Finds rows like a given one, without itself, or like a text: those that rank best for the words that tell most about it, which are
   * the words it would itself rank highest for.
   *
   * @throws {@link HowdahError} SEARCH_UNSUPPORTED with an engine that is not native
   * @throws {@link HowdahError} SEARCH_UNKNOWN_KEY when the index has no such row, or it is hidden from the role
   * @throws {@link HowdahError} SEARCH_INVALID_QUERY, SEARCH_NOT_ATTACHED, SEARCH_DEFINITION_CHANGED as {@link SearchIndex.search}
   *
   * @example
   * ```ts
   * import type { SearchIndex } from '@howdah/search'
   *
   * export async function related(offers: SearchIndex, id: number) {
   *   const { hits } = await offers.moreLikeThis(id, { limit: 3, filters: { status: 'open' } })
   *   return hits.map((hit) => hit.row)
   * }
   * ```
   */
  moreLikeThis(
    like: LikeThis,
    options: MoreLikeThisOptions & { readonly client?: TransactionHandle | undefined } = {},
  ): Promise<SearchResult<Row>> {
    return searchTracer.run(
      () => ({ target: this.#definition.name }),
      async () => {
        this.#requires('moreLikeThis', 'finds no similar rows')
        const likeness = resolveLikeness(this.#definition, like, options)
        const { fields, maxWords, minDocuments, client, ...rest } = options
        const request = this.#requested(rest)
        const find = () => this.#similar(likeness, request, client)
        return await this.#again(find, client === undefined)
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
      const attached = await this.#known(options.client)
      const value = resolveTenant(this.#definition, options.tenant, this.#db.tenantId)
      const scope = await this.#scopeOf(attached, value, options.client)
      const { vocabulary: index, planner, searched } = attached
      const from = { index, tenant: scope?.word ?? '' }
      const found = await suggest(this.#db, planner.lexemes, from, typed, options)
      return scope?.nothing || (scope ?? searched).secured ? [] : found
    }
    return this.#again(find, options.client === undefined)
  }

  /** Tells how the index stands: rows and sizes, which rows are indexed only in part, what went wrong, and what searches of this process took. */
  async stats(): Promise<SearchStats> {
    const { schema } = this.#db
    const read = async () => {
      await this.#ready()
      const { id, generation, filled } = await this.#find()
      const definition = this.#definition
      const names = indexNames(schema, id, generation)
      const part = { schema, id, generation, definition, names }
      const [row] = await this.#db.query(engineOf(definition.engine).stats(part))
      const [progress] = filled ? [] : await this.#db.query(readProgress(schema, id, generation))
      return statsOf(row as StatsRow, progress, this.#times.stats(), this.#log?.stats())
    }
    return await this.#again(read, true)
  }

  /** What `metrics()` of `@howdah/core/metrics` reads. */
  get metricReader(): MetricReader {
    return searchReader(this.#definition.name, () => this.stats())
  }

  /** Refuses further calls, and writes what is left of the query log. The index and the pool stay. */
  async close(): Promise<void> {
    this.#closed = true
    await Promise.all([this.#maintenance.stop(), this.#log?.close()])
  }

  /** Closes at the end of an `await using` block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #search(
    query: string,
    request: SearchRequest,
    client: TransactionHandle | undefined,
  ): Promise<{ result: SearchResult<Row>; tenant: string }> {
    const attached = await this.#known(client)
    const scope = await this.#scopeOf(attached, request.tenant, client)
    const plan = await this.#plan(attached, query, request, scope, client)
    const result = await this.#answer(attached, plan, query, request, scope, client)
    return { result, tenant: scope?.word ?? '' }
  }

  async #similar(
    likeness: Likeness,
    request: SearchRequest,
    client: TransactionHandle | undefined,
  ): Promise<SearchResult<Row>> {
    const attached = await this.#known(client)
    const scope = await this.#scopeOf(attached, request.tenant, client)
    const source = await sourceOf(likeness, attached.planner.lexemes, client)
    const [words] = scope?.nothing
      ? [{ known: likeness.key === null, terms: [], parts: [] }]
      : await this.#db.query(tellingWords(attached.names, source, scope), client)
    const plan = planOf(likeness, words as TellingWords)
    return this.#answer(attached, plan, JSON.stringify(likeness), request, scope, client)
  }

  /** Finds what was planned; a cursor holds for what was asked only. */
  async #answer(
    { statements, vectors, planner, searched }: Attached,
    plan: QueryPlan,
    asked: string,
    request: SearchRequest,
    scope: TenantScope | undefined,
    client: TransactionHandle | undefined,
  ): Promise<SearchResult<Row>> {
    if (scope?.nothing) return nothingFound(request)
    const { highlight, hybrid } = request
    const vector = hybrid && (await vectors.of(hybrid, client))
    const ask: AskPage = async (start) => {
      const statement = statements.search(plan, request, start, vector, scope)
      const [row] = await this.#db.query(statement, client)
      return row
    }
    const { row, next } = await findPage(this.#definition, asked, request, ask)
    const { hits, ...found } = { ...resultOf<Row>(row, request), next }
    const { didYouMean } = plan
    const { secured } = scope ?? searched
    const answer = { ...found, understood: understood(plan, !secured), didYouMean }
    if (highlight === undefined) return { ...answer, hits }
    const page = hits.map((hit) => hit.row as Record<string, unknown>)
    const shown = await highlightPage(page, plan, highlight, planner.lexemes, client)
    const marked = hits.map((hit, at) => ({ ...hit, highlights: shown[at] ?? {} }))
    return { ...answer, hits: marked }
  }

  /** Notes what was asked for: neither further pages nor a list of everything. */
  #note(
    query: string,
    request: SearchRequest,
    { result, tenant }: { readonly result: SearchResult<Row>; readonly tenant: string },
    ms: number,
  ): void {
    const first = request.after === undefined && request.offset === 0
    if (this.#log === undefined || !first || !/[\p{L}\p{N}]/u.test(query)) return
    const { total: hits, didYouMean } = result
    this.#log.note({ query, hits, ms, corrected: didYouMean !== undefined, tenant })
  }

  #plan(
    { planner, searched }: Attached,
    query: string,
    request: SearchRequest,
    scope: TenantScope | undefined,
    client: TransactionHandle | undefined,
  ): Promise<QueryPlan> {
    if (typeof query !== 'string') {
      throw searchError('SEARCH_INVALID_QUERY', 'The query must be a string.')
    }
    const { mode, prefix } = request
    // The words of rows that a policy hides are not for everybody.
    const fuzzy = request.fuzzy && !(scope ?? searched).secured
    return planner.plan(query, { mode, fuzzy, prefix, tenant: scope?.word ?? '', client })
  }

  #requested(options: SearchOptions): SearchRequest {
    return resolveRequest(this.#definition, options, this.#db.tenantId)
  }

  /** Undefined where the index has no tenants. */
  async #scopeOf(
    { names }: Attached,
    tenant: string | undefined,
    client: TransactionHandle | undefined,
  ): Promise<TenantScope | undefined> {
    if (tenant === undefined) return undefined
    return readScope(this.#db, names, this.#definition, tenant, client)
  }

  #requires(capability: SearchCapability, lack: string): void {
    const { name, capabilities } = engineOf(this.#definition.engine)
    if (!capabilities.has(capability)) throw unsupported(name, lack)
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

  /** A transaction is asked on its own connection, for it may hold the last one there is. */
  async #known(client?: TransactionHandle): Promise<Attached> {
    await this.#ready()
    if (this.#attached === undefined) {
      const reading = this.#read(client)
      this.#attached = reading
      // A failure is its callers' to hear of, and the next call tries again.
      reading.catch(() => {
        if (this.#attached === reading) this.#attached = undefined
      })
    }
    return this.#attached
  }

  async #find(client?: TransactionHandle): Promise<GenerationRow> {
    const { name } = this.#definition
    const known = (await generationsOf(this.#db, name, client)).find(({ live }) => live)
    if (known !== undefined) return known
    throw searchError(
      'SEARCH_NOT_ATTACHED',
      `There is no search index '${name}'. Call attach() first, where the application starts.`,
    )
  }

  async #read(client?: TransactionHandle): Promise<Attached> {
    const known = await this.#find(client)
    if (known.definition !== fingerprint(this.#definition))
      throw definitionChanged(this.#definition.name)
    this.#maintenance.start()
    return readAttached(this.#db, this.#definition, known, client)
  }

  /** Runs a read; once more when another process has meanwhile rebuilt the index. */
  async #again<T>(read: () => Promise<T>, mayRepeat: boolean): Promise<T> {
    try {
      return await read()
    } catch (error) {
      if (isHowdahError(error) && error.code.startsWith('SEARCH_')) throw error
      const state = sqlState(error)
      if (state !== undefined && GONE.has(state)) {
        this.#attached = undefined
        if (mayRepeat) return await read()
      }
      if (state !== undefined && BAD_VALUE.has(state)) {
        throw searchError(
          'SEARCH_INVALID_QUERY',
          `A filter's value or a vector is not one its column can have: ${(error as Error).message}.`,
          { cause: error },
        )
      }
      throw error
    }
  }
}
