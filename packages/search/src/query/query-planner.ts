import type { Database, TransactionHandle } from '@howdah/core'
import {
  type CompiledRules,
  compileRules,
  NO_RULES,
  textsOfRules,
} from '../curation/compiled-rules.js'
import type { Language } from '../language/language.js'
import { Lexemes } from '../language/lexemes.js'
import type { AnalysisRow } from '../sql/analyze-texts.js'
import { type LookUpRow, lookUp, type WordLookUp } from '../sql/look-up.js'
import { readRules } from '../sql/read-rules.js'
import { readVersion } from '../sql/read-version.js'
import { type CorrectedWord, corrections, MANY, maxDistance } from '../vocabulary/corrections.js'
import { KnownWords } from '../vocabulary/known-words.js'
import {
  beginningOf,
  compileBranches,
  compileExcluded,
  type Findings,
  type QueryMode,
} from './compile-query.js'
import { parseQuery } from './parse-query.js'
import type { QueryPlan } from './query-plan.js'
import type { Clause, QueryTree } from './query-tree.js'

/** Words that stand for a beginning: the most frequent ones. */
export const COMPLETIONS = 30
/** Words of a query that are looked up in the vocabulary: a hostile one would have hundreds that cost most. */
const LOOKED_UP = 128

/** How a query is to be understood. */
export interface PlanOptions {
  readonly mode: QueryMode
  /** Whether mistyped words find what they were probably meant to be. */
  readonly fuzzy: boolean
  /** Whether the last word may be only the beginning of one, as while it is being typed. */
  readonly prefix: boolean
  /** Whose vocabulary; the empty text where there are no tenants. */
  readonly tenant: string
  readonly client?: TransactionHandle | undefined
}

/** The index whose queries are planned. */
export interface PlannedIndex {
  readonly id: number
  /** Number of its vocabulary. */
  readonly vocabulary: number
  readonly language: Language
  /** Names that may stand before a colon. */
  readonly fields: readonly string[]
}

/**
 * Understands queries: parses them, and asks the database for the lexemes of words it has not seen, for words near mistyped ones and
 * whether the rules have changed. Costs one short statement where all words are known, and two or three else.
 */
export class QueryPlanner {
  readonly #db: Database
  readonly #index: PlannedIndex
  /** What PostgreSQL makes of texts; shared with who highlights. */
  readonly lexemes: Lexemes
  readonly #words = new KnownWords()
  #rules: CompiledRules = NO_RULES

  constructor(db: Database, index: PlannedIndex) {
    this.#db = db
    this.#index = index
    this.lexemes = new Lexemes(db, index.language)
  }

  /** Plans a query. No query is an error. */
  async plan(query: string, options: PlanOptions): Promise<QueryPlan> {
    const { mode, client } = options
    const tree = parseQuery(query, this.#index.fields)
    const clauses = [...tree.branches.flat(), ...tree.excluded]
    const analyses = await this.lexemes.of(textsOf(clauses), client)
    const asked = askedOf(tree, analyses, options)
    const row = await this.#lookUp(asked, options)
    const found = findings(asked, row)
    const words = [...found.completions.values()].flat()
    for (const near of found.corrections.values()) words.push(...near.map(({ word }) => word))
    const more = await this.lexemes.of(words, client)
    const all: Findings = { ...found, analyses: new Map([...analyses, ...more]) }
    const rules = await this.#rulesOf(row.version, client)
    return {
      branches: compileBranches(tree, mode, all, rules),
      excluded: compileExcluded(tree, all),
      pinned: rules.pinned(tree.text),
      hidden: rules.hidden(tree.text),
      blank: tree.branches.length === 0,
      didYouMean: meant(tree, all),
    }
  }

  async #lookUp(asked: Asked, { tenant, client }: PlanOptions): Promise<LookUpRow> {
    const { id: rules, vocabulary: index } = this.#index
    if (asked.beginnings.size === 0 && this.#words.all(tenant, asked.words.values())) {
      const [row] = await this.#db.query(readVersion(this.#db.schema, rules), client)
      return { version: row?.version ?? null, words: [], completions: [] }
    }
    const statement = lookUp(this.#db.schema, {
      index,
      rules,
      tenant,
      words: [...asked.words.values()],
      beginnings: [...asked.beginnings.values()],
      limit: COMPLETIONS,
    })
    const [found] = await this.#db.query(statement, client)
    const row = found as LookUpRow
    for (const [at, { word }] of [...asked.words.values()].entries()) {
      if ((row.words[at]?.documents ?? 0) >= MANY) this.#words.add(tenant, word)
    }
    return row
  }

  async #rulesOf(
    version: string | null,
    client: TransactionHandle | undefined,
  ): Promise<CompiledRules> {
    if (version === this.#rules.version) return this.#rules
    const [row] = await this.#db.query(readRules(this.#db.schema, this.#index.id), client)
    if (row === undefined) return NO_RULES
    const rules = compileRules(row, await this.lexemes.of(textsOfRules(row), client))
    this.#rules = rules
    return rules
  }
}

/** What is asked about a query: by the text of its clause. */
interface Asked {
  readonly words: ReadonlyMap<string, WordLookUp>
  readonly beginnings: ReadonlyMap<string, string>
}

function askedOf(
  tree: QueryTree,
  analyses: ReadonlyMap<string, AnalysisRow>,
  { fuzzy, prefix }: PlanOptions,
): Asked {
  const words = new Map<string, WordLookUp>()
  const beginnings = new Map<string, string>()
  const last = prefix ? unfinished(tree) : undefined
  for (const clause of tree.branches.flat()) {
    const analysis = analyses.get(clause.text)
    if (analysis === undefined || clause.kind === 'phrase') continue
    if (clause.kind === 'prefix' || clause === last) {
      beginnings.set(clause.text, beginningOf(clause.text, analysis))
    }
    const [word, another] = analysis.words
    if (
      !fuzzy ||
      words.size === LOOKED_UP ||
      clause.kind !== 'word' ||
      word === undefined ||
      another !== undefined
    )
      continue
    // Words of no lexeme are stop words; no word is meant by them but themselves.
    const distance = analysis.lexemes.length === 0 ? 0 : maxDistance(word)
    if (distance > 0) words.set(clause.text, { word, distance })
  }
  return { words, beginnings }
}

/** The word at the end of a query, where nothing follows it. */
function unfinished({ text, branches }: QueryTree): Clause | undefined {
  const last = branches.at(-1)?.at(-1)
  const ends = last?.kind === 'word' && last.at + last.text.length === text.length
  return ends ? last : undefined
}

function findings(asked: Asked, row: LookUpRow): Omit<Findings, 'analyses'> {
  const completions = new Map<string, readonly string[]>()
  for (const [at, [text]] of [...asked.beginnings].entries()) {
    completions.set(text, row.completions[at]?.map(([word]) => word) ?? [])
  }
  const corrected = new Map<string, readonly CorrectedWord[]>()
  for (const [at, [text, { word }]] of [...asked.words].entries()) {
    const { documents, near } = row.words[at] ?? { documents: 0, near: [] }
    const found = corrections(word, documents, near)
    // What begins words is no error.
    const begins = completions.get(text)?.some((completion) => completion !== word) === true
    if (found.length > 0 && !begins) corrected.set(text, found)
  }
  return { completions, corrections: corrected }
}

/** The query with its corrections put in. */
function meant(
  { text, branches }: QueryTree,
  { corrections: found }: Findings,
): string | undefined {
  const mistyped = branches
    .flat()
    .filter((clause) => clause.kind === 'word' && found.has(clause.text))
  if (mistyped.length === 0) return undefined
  let corrected = ''
  let from = 0
  for (const clause of mistyped) {
    corrected += text.slice(from, clause.at) + (found.get(clause.text)?.[0]?.word ?? clause.text)
    from = clause.at + clause.text.length
  }
  return (corrected + text.slice(from)).trim()
}

function textsOf(clauses: readonly Clause[]): string[] {
  return clauses.map(({ text }) => text)
}
