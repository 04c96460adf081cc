import type { Term } from '../query/query-plan.js'
import { stepsOf, termOf } from '../query/steps.js'
import type { AnalysisRow } from '../sql/analyze-texts.js'
import type { RulesRow } from '../sql/read-rules.js'
import { normalQuery } from './rules.js'

/** What is searched besides a sequence of words. */
export interface SynonymRule {
  /** For each word its lexemes. */
  readonly from: readonly (readonly string[])[]
  readonly to: readonly { readonly text: string; readonly term: Term }[]
}

/** An index's rules in the form in which queries meet them. */
export interface CompiledRules {
  readonly version: string | null
  /** By each lexeme of their first word, so that a query looks at few of them. */
  readonly synonyms: ReadonlyMap<string, readonly SynonymRule[]>
  readonly stopWords: ReadonlySet<string>
  pinned(query: string): readonly string[]
  hidden(query: string): readonly string[]
}

/** The rules of an index that has none. */
export const NO_RULES: CompiledRules = {
  version: null,
  synonyms: new Map(),
  stopWords: new Set(),
  pinned: () => [],
  hidden: () => [],
}

/** All texts of rules that are compared with words of queries. */
export function textsOfRules({ synonyms, stopwords }: RulesRow): string[] {
  return [...pairs(synonyms).flatMap(({ from, to }) => [from, ...to]), ...stopwords]
}

/** Makes rules ready, given the analysis of {@link textsOfRules}. */
export function compileRules(
  row: RulesRow,
  analyses: ReadonlyMap<string, AnalysisRow>,
): CompiledRules {
  const steps = (text: string) => stepsOf(analyses.get(text) ?? { lexemes: [], words: [] })
  const synonyms = new Map<string, SynonymRule[]>()
  for (const { from, to } of pairs(row.synonyms)) {
    const words = steps(from).map(({ lexemes }) => lexemes)
    const terms = to.flatMap((text) => {
      const term = termOf(steps(text))
      return term === undefined ? [] : [{ text, term }]
    })
    if (terms.length === 0) continue
    for (const lexeme of words[0] ?? []) {
      synonyms.set(lexeme, [...(synonyms.get(lexeme) ?? []), { from: words, to: terms }])
    }
  }
  const stopWords = row.stopwords.flatMap((word) => steps(word).flatMap(({ lexemes }) => lexemes))
  const keys = (which: 'pinned' | 'hidden') => {
    const byQuery = new Map<string, string[]>()
    for (const { query = '', ...rule } of row.results) {
      const normal = normalQuery(query)
      byQuery.set(normal, [...(byQuery.get(normal) ?? []), ...(rule[which] ?? [])])
    }
    // Those of the query itself come before those of every query.
    return (query: string) => [
      ...new Set([normalQuery(query), ''].flatMap((normal) => byQuery.get(normal) ?? [])),
    ]
  }
  return {
    version: row.version,
    synonyms,
    stopWords: new Set(stopWords),
    pinned: keys('pinned'),
    hidden: keys('hidden'),
  }
}

/** One way from each text, whichever way they were written. */
function pairs(
  synonyms: RulesRow['synonyms'],
): { readonly from: string; readonly to: readonly string[] }[] {
  return synonyms.flatMap((entry) => {
    if ('from' in entry) return entry.from.map((from) => ({ from, to: entry.to }))
    return entry.map((from) => ({ from, to: entry.filter((other) => other !== from) }))
  })
}
