import type { ConformanceRunner, Subject } from './runner.js'
import { withSubject } from './runner.js'
import { declareFinding } from './search-finding.js'
import { declareKeeping } from './search-keeping.js'
import { declareRanking } from './search-ranking.js'
import { declareWriting } from './search-writing.js'

/** A transaction that a search may join. */
export interface SearchTransaction {
  query(statement: { readonly text: string }): Promise<unknown>
}

/** What the suite asks for in a search. */
export interface SearchOptionsUnderTest {
  readonly mode?: 'any' | 'all'
  readonly minimumMatch?: number
  readonly filters?: Readonly<Record<string, unknown>>
  readonly facets?: readonly string[]
  readonly sort?: readonly string[]
  readonly limit?: number
  readonly offset?: number
  readonly fuzzy?: boolean
  readonly prefix?: boolean
  readonly highlight?: true
  readonly client?: SearchTransaction
}

/** What the suite reads of the answer. */
export interface SearchResultUnderTest {
  readonly total: number
  readonly hits: readonly {
    readonly key: string
    readonly score: number
    readonly row: unknown
    readonly highlights?: Readonly<Record<string, string>>
  }[]
  readonly facets: Readonly<Record<string, readonly { value: unknown; count: number }[]>>
  readonly didYouMean: string | undefined
}

/** An index, as far as the suite uses it. */
export interface SearchUnderTest {
  readonly rules: {
    setResults(
      rules: readonly {
        readonly query?: string
        readonly pinned?: readonly string[]
        readonly hidden?: readonly string[]
      }[],
    ): Promise<void>
  }
  attach(): Promise<void>
  rebuild(): Promise<void>
  detach(): Promise<void>
  maintain(): Promise<void>
  search(query: string, options?: SearchOptionsUnderTest): Promise<SearchResultUnderTest>
  suggest(typed: string): Promise<readonly { readonly text: string }[]>
  stats(): Promise<{
    readonly documents: number
    readonly partial: readonly { readonly key: string }[]
    readonly errors: readonly unknown[]
  }>
}

/** How the suite makes an index. */
export interface SearchDefinitionUnderTest {
  readonly table: string | { readonly schema: string; readonly name: string }
  readonly key: string
  readonly fields: Readonly<Record<string, { readonly weight?: number }>>
  readonly facets?: readonly string[]
  readonly filters?: readonly string[]
  readonly sort?: readonly string[]
  readonly language?: string
}

/** An engine on a database, and what the suite needs besides. */
export interface SearchSubject {
  /** What the engine declares that it can do; see `SearchCapability` of `@howdah/search`. */
  readonly capabilities: ReadonlySet<string>
  /** Whether others can read while a transaction is open. */
  readonly concurrent: boolean
  /** Makes an index object; the second process has connections of its own. */
  index(name: string, definition: SearchDefinitionUnderTest, process?: 1 | 2): SearchUnderTest
  /** Runs a statement outside of any transaction. */
  query(text: string, values?: readonly unknown[]): Promise<Record<string, unknown>[]>
  /** Runs a function in a transaction, which is rolled back if it throws. */
  transaction(fn: (client: SearchTransaction) => Promise<void>): Promise<void>
  /** Names of everything that indexes have left in the database, outside of the tables that are always there. */
  leftovers(): Promise<string[]>
}

/** Opens a database for one test; it may be the same one each time. */
export type SearchFactory = () => Promise<Subject<SearchSubject>> | Subject<SearchSubject>

/** Declares one test. */
export type SearchIt = (name: string, body: (subject: SearchSubject) => Promise<void>) => void

/**
 * Declares tests of what every engine of a search index must do: the language of queries, ranking, filters, facets and sorting on the live rows, the writer's own
 * transaction, rollbacks, rebuilding, and leaving nothing behind. Of what engines differ in, it asks what the engine declares.
 *
 * @example
 * ```ts
 * import { describe, it } from 'node:test'
 * import { type SearchFactory, searchConformance } from '@howdah/testkit'
 *
 * declare const openDatabase: SearchFactory
 * searchConformance({ describe, it }, openDatabase)
 * ```
 */
export function searchConformance(runner: ConformanceRunner, factory: SearchFactory): void {
  const it: SearchIt = withSubject(runner, factory)
  runner.describe('search index contract', () => {
    declareFinding(it)
    declareRanking(it)
    declareWriting(it)
    declareKeeping(it)
  })
}
