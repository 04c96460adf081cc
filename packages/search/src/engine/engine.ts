/**
 * What keeps the words of an index and finds rows by them. An engine is chosen when an index is made; `rebuild()` moves an index from one to another.
 *
 * Every engine makes, for each generation of an index, the functions `match` and `search`, which take a `NativeQuery` and answer keys and scores.
 * Everything else is the same for all of them: understanding queries, the vocabulary, filters, facets, sorting, pinned results and highlights on the live rows.
 * What more an engine can do it declares, and the suite of conformance that all of them run asks of it just that.
 */
import type { Database, Queryable, Statement } from '@howdah/core'
import { searchError } from '../errors.js'
import type { IndexNames } from '../names.js'
import type { Generation } from '../native/generation.js'
import type { Definition } from '../options.js'
import type { TableRow } from '../sql/describe-table.js'
import type { StatsRow } from '../sql/read-stats.js'
import type { EngineName } from './engine-name.js'

/**
 * What engines may differ in.
 *
 * - `exactScores`: scores are BM25 over the rows of the reader's snapshot, with the weights of fields and of corrections;
 * - `exactTotal`: everything that matches is found and counted, however much it is;
 * - `beginnings`: `stu*` finds all words that begin so, not only those most frequent in the vocabulary;
 * - `topK`: the best are found without a look at everything that matches;
 * - `anyWeight`: weights of fields may be any number;
 * - `anyType`: a field may be of any type that casts to text;
 * - `writesDuringAttach`: writes go on while an index is made;
 * - `rebuild`: an index is built anew beside the old one;
 * - `partial`: `stats()` lists rows of which only the beginning is indexed;
 * - `masks`: filters, facets and excluded words are answered without a look at the rows;
 * - `tenants`: rows of one tenant are searched, counted and scored as if there were no others;
 * - `explain`, `moreLikeThis`, `sql`: the index answers `explain()`, `moreLikeThis()`, and `search()` in SQL.
 */
export type SearchCapability =
  | 'exactScores'
  | 'exactTotal'
  | 'beginnings'
  | 'topK'
  | 'anyWeight'
  | 'anyType'
  | 'writesDuringAttach'
  | 'rebuild'
  | 'partial'
  | 'masks'
  | 'explain'
  | 'moreLikeThis'
  | 'sql'
  | 'tenants'

/** A generation as far as it is known when it is looked after or removed. */
export interface GenerationPart {
  readonly schema: string
  readonly id: number
  readonly generation: number
  readonly definition: Definition
  readonly names: IndexNames
}

/** An engine, as an index uses it. */
export interface SearchEngine {
  readonly name: EngineName
  readonly capabilities: ReadonlySet<SearchCapability>
  /** Whether rows that were there before come in batches, by the function `fill`, and else with `create`. */
  readonly fills: boolean
  /** Whether there is work for the background, by the function `maintain`. */
  readonly maintains: boolean
  /**
   * Refuses what the engine cannot do, when an index is made.
   *
   * @throws {@link HowdahError} SEARCH_UNSUPPORTED
   */
  check(definition: Definition): void
  /**
   * Looks whether the database and the table are fit for a new generation. Answers the quoted name of the schema of the extension, where there is one.
   *
   * @throws {@link HowdahError} SEARCH_ENGINE_MISSING, SEARCH_UNSUPPORTED
   */
  probe(
    db: Database,
    table: TableRow,
    definition: Definition,
    client: Queryable,
  ): Promise<string | undefined>
  /** Statements that make a generation, in the transaction that registers it. The last ones lock the table. */
  create(generation: Generation): string[]
  /** Whether all is there that the engine has put on the table, besides its triggers. */
  isWhole(db: Database, table: TableRow, part: GenerationPart, client: Queryable): Promise<boolean>
  /** Statements that take from a table what the engine has put on it besides its triggers, which go with their function, for one transaction. */
  leave(schema: string, index: string, generation: number, table: string): string[]
  /** Reads how a generation stands. */
  stats(part: GenerationPart): Statement<StatsRow>
  /** Condition that a document of this key is in the index; the key is an expression of type text. */
  holds(names: IndexNames, key: string): string
  /** Columns that the engine adds to the table and hits do not show, of this generation and the next. */
  ownColumns(part: Pick<GenerationPart, 'schema' | 'generation' | 'definition'>): string[]
}

/** @throws {@link HowdahError} SEARCH_UNSUPPORTED */
export function unsupported(engine: EngineName, what: string): Error {
  return searchError(
    'SEARCH_UNSUPPORTED',
    `The engine ${engine} ${what}. Change that, or use the engine native for this index.`,
  )
}
