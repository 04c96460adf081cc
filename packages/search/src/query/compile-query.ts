import type { CompiledRules } from '../curation/compiled-rules.js'
import { addSynonyms, distinct } from '../curation/synonyms.js'
import type { AnalysisRow } from '../sql/analyze-texts.js'
import type { CorrectedWord } from '../vocabulary/corrections.js'
import type { Alternative, ExcludedTerm, Group, Term } from './query-plan.js'
import type { Clause, QueryTree } from './query-tree.js'
import { stepsOf, termOf } from './steps.js'

/** How the words of a query go together: a document has any of them, or all. */
export type QueryMode = 'any' | 'all'

/** What was found out about a query's texts. */
export interface Findings {
  /** Of every text of the query, of corrections and of completions. */
  readonly analyses: ReadonlyMap<string, AnalysisRow>
  /** By the text of a word. */
  readonly corrections: ReadonlyMap<string, readonly CorrectedWord[]>
  /** By the text of a beginning: the words that begin so. */
  readonly completions: ReadonlyMap<string, readonly string[]>
}

const MAX_BEGINNING = 200

const NOTHING: AnalysisRow = { lexemes: [], words: [] }

/** Makes branches of groups of a query's tree. */
export function compileBranches(
  tree: QueryTree,
  mode: QueryMode,
  findings: Findings,
  rules: CompiledRules,
): Group[][] {
  const branches = tree.branches.map((clauses) => compileBranch(clauses, mode, findings, rules))
  const kept = branches.map((groups) => groups.filter((group) => !isStopWord(group, rules)))
  // A query of stop words alone is one for just these words.
  const chosen = kept.some(({ length }) => length > 0) ? kept : branches
  return chosen.filter(({ length }) => length > 0)
}

/** Makes terms of what is excluded; a word of several parts is excluded as a phrase. */
export function compileExcluded(tree: QueryTree, { analyses }: Findings): ExcludedTerm[] {
  return tree.excluded.flatMap(({ kind, text, field }) => {
    const analysis = analyses.get(text) ?? NOTHING
    if (kind === 'prefix') {
      const term = { kind: 'prefix', lexeme: beginningOf(text, analysis) } as const
      return [{ term, field, typed: text }]
    }
    const term = termOf(stepsOf(analysis))
    return term === undefined ? [] : [{ term, field, typed: text }]
  })
}

/** The beginning that a clause such as `pre*` names: its last word, as the vocabulary would have it. */
export function beginningOf(text: string, { words }: AnalysisRow): string {
  // A lexeme has at most 2 kB.
  return (
    words.at(-1) ??
    text
      .toLowerCase()
      .slice(0, MAX_BEGINNING)
      .replace(/\p{Surrogate}/gu, '')
  )
}

/** Groups with whether they came from a plain word, which rules may change. */
interface Compiled {
  readonly group: Group
  readonly plain: boolean
}

function compileBranch(
  clauses: readonly Clause[],
  mode: QueryMode,
  findings: Findings,
  rules: CompiledRules,
): Group[] {
  const compiled = clauses.flatMap((clause) => compileClause(clause, mode, findings))
  const plain = new Set(compiled.filter((one) => one.plain).map(({ group }) => group))
  const groups = compiled.map(({ group }) => group)
  return addSynonyms(groups, rules.synonyms, (group) => plain.has(group))
}

function compileClause(clause: Clause, mode: QueryMode, findings: Findings): Compiled[] {
  const { kind, text, field } = clause
  const analysis = findings.analyses.get(text) ?? NOTHING
  const steps = stepsOf(analysis)
  // Who quotes, or names a field, means it.
  const required = mode === 'all' || kind === 'phrase' || field !== undefined
  if (kind === 'phrase') {
    const term = termOf(steps)
    if (term === undefined) return []
    const alternatives = [typedAs(term, text)]
    return [{ group: { required, field, alternatives }, plain: false }]
  }
  const words = kind === 'prefix' ? steps.slice(0, -1) : steps
  const compiled = words.map(({ lexemes }): Compiled => {
    // Documents that have the parts of a compound without its hyphen have all that was asked for.
    const compound = steps.length > 1 && lexemes.some((lexeme) => lexeme.includes('-'))
    const alternatives = lexemes.map((lexeme) => typedAs({ kind: 'word', lexeme }, text))
    return { group: { required: required && !compound, field, alternatives }, plain: true }
  })
  const completions = findings.completions.get(text)
  if (kind === 'prefix') {
    const lexeme = beginningOf(text, analysis)
    const typed = typedAs({ kind: 'prefix', lexeme }, text)
    const found = wordsAs('completion', text, completions ?? [], () => 1, findings)
    const alternatives = distinct([typed, ...found])
    return [...compiled, { group: { required, field, alternatives }, plain: false }]
  }
  const [only] = compiled
  if (only === undefined || compiled.length > 1) return compiled
  const near = findings.corrections.get(text) ?? []
  const weightOf = (at: number) => near[at]?.weight ?? 1
  const alternatives = [
    ...only.group.alternatives,
    ...wordsAs('completion', text, completions ?? [], () => 0.9, findings),
    ...wordsAs(
      'correction',
      text,
      near.map(({ word }) => word),
      weightOf,
      findings,
    ),
  ]
  return [{ ...only, group: { ...only.group, alternatives: distinct(alternatives) } }]
}

function typedAs(term: Term, text: string): Alternative {
  return { term, weight: 1, origin: 'typed', typed: text, text }
}

function wordsAs(
  origin: Alternative['origin'],
  typed: string,
  words: readonly string[],
  weightOf: (at: number) => number,
  { analyses }: Findings,
): Alternative[] {
  return words.flatMap((text, at) => {
    const term = termOf(stepsOf(analyses.get(text) ?? NOTHING))
    return term === undefined ? [] : [{ term, weight: weightOf(at), origin, typed, text }]
  })
}

function isStopWord({ alternatives, field }: Group, { stopWords }: CompiledRules): boolean {
  if (stopWords.size === 0 || field !== undefined) return false
  const typed = alternatives.filter(({ origin }) => origin === 'typed')
  return typed.every(({ term }) => term.kind === 'word' && stopWords.has(term.lexeme))
}
