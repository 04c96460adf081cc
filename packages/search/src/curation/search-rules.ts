import type { Database, TransactionHandle } from '@howdah/core'
import { type RulesRow, readRules } from '../sql/read-rules.js'
import { type WrittenRules, writeRules } from '../sql/write-rules.js'
import {
  checkResults,
  checkStopWords,
  checkSynonyms,
  type ResultRule,
  type Synonyms,
} from './rules.js'

/** Options of reading and writing rules. */
export interface RulesOptions {
  /** A transaction to read or write in. */
  readonly client?: TransactionHandle | undefined
}

/**
 * The rules that people give a search: synonyms, words to pass over, results to put first or leave out. They apply to queries, in every
 * process from the next search on, and nothing has to be indexed anew. Each call replaces all rules of its kind, so a deployment step can
 * say what they are.
 *
 * @example
 * ```ts
 * import { SearchIndex } from '@howdah/search'
 * import { Pool } from 'pg'
 *
 * const offers = new SearchIndex('offers', { pool: new Pool(), table: 'offers', key: 'id', fields: { title: {} } })
 * await offers.rules.setSynonyms([['tv', 'television'], { from: ['phone'], to: ['iphone', 'android phone'] }])
 * await offers.rules.setStopWords(['cheap'])
 * await offers.rules.setResults([{ query: 'help', pinned: ['17'] }, { hidden: ['23'] }])
 * ```
 */
export class SearchRules {
  readonly #db: Database
  readonly #index: () => Promise<number>

  /** Made by {@link SearchIndex.rules}. @internal */
  constructor(db: Database, index: () => Promise<number>) {
    this.#db = db
    this.#index = index
  }

  /**
   * Replaces the synonyms. Of the words or phrases of a list each finds all others; with `from` and `to`, each of `from` finds all of
   * `to`, and not the other way round. They are compared stemmed, as words of queries and documents are.
   *
   * @throws {@link HowdahError} SEARCH_INVALID_RULE
   */
  setSynonyms(synonyms: readonly Synonyms[], options?: RulesOptions): Promise<void> {
    return this.#write(() => ({ synonyms: JSON.stringify(checkSynonyms(synonyms)) }), options)
  }

  /** Answers the synonyms as they were set. */
  async synonyms(options?: RulesOptions): Promise<readonly Synonyms[]> {
    return (await this.#read(options))?.synonyms ?? []
  }

  /**
   * Replaces the words that queries pass over, besides those of the language; a query of such words alone is one for them.
   *
   * @throws {@link HowdahError} SEARCH_INVALID_RULE
   */
  setStopWords(words: readonly string[], options?: RulesOptions): Promise<void> {
    return this.#write(() => ({ stopWords: JSON.stringify(checkStopWords(words)) }), options)
  }

  /** Answers the words as they were set. */
  async stopWords(options?: RulesOptions): Promise<readonly string[]> {
    return (await this.#read(options))?.stopwords ?? []
  }

  /**
   * Replaces the results that are pinned or hidden, by query.
   *
   * @throws {@link HowdahError} SEARCH_INVALID_RULE
   */
  setResults(results: readonly ResultRule[], options?: RulesOptions): Promise<void> {
    return this.#write(() => ({ results: JSON.stringify(checkResults(results)) }), options)
  }

  /** Answers the rules for results as they were set. */
  async results(options?: RulesOptions): Promise<readonly ResultRule[]> {
    return (await this.#read(options))?.results ?? []
  }

  async #write(written: () => WrittenRules, options: RulesOptions = {}): Promise<void> {
    const rules = written()
    const index = await this.#index()
    await this.#db.query(writeRules(this.#db.schema, index, rules), options.client)
  }

  async #read(options: RulesOptions = {}): Promise<RulesRow | undefined> {
    const index = await this.#index()
    const [row] = await this.#db.query(readRules(this.#db.schema, index), options.client)
    return row
  }
}
