import type { QueryPlan, Step, Term } from '../query/query-plan.js'
import type { AnalysisRow } from '../sql/analyze-texts.js'
import type { Word } from './words.js'

/** A piece of a text that the query found, and what of the query did. */
export interface Match {
  readonly from: number
  readonly to: number
  /** Number of the group, for telling different words of the query apart. */
  readonly group: number
}

/** Terms of a plan with the number of their group. */
export interface WantedTerm {
  readonly term: Term
  readonly group: number
}

/** A text with its words; `chunks` only where some wanted lexeme has signs in it. */
export interface Words {
  readonly words: readonly Word[]
  readonly chunks: readonly Word[]
}

/** The terms that may be found in a field. */
export function wantedIn(plan: QueryPlan, field: string): WantedTerm[] {
  return plan.branches.flat().flatMap((group, n) => {
    if (group.field !== undefined && group.field !== field) return []
    return group.alternatives.map(({ term }) => ({ term, group: n }))
  })
}

/** Whether words alone cannot show every term: some lexeme has signs in it. */
export function needsChunks(plan: QueryPlan): boolean {
  return plan.branches
    .flat()
    .some(({ alternatives }) => alternatives.some(({ term }) => lexemesOf(term).some(hasSigns)))
}

/** Finds single words and beginnings, and the words of phrases where they stand as in the phrase. */
export function findMatches(
  { words, chunks }: Words,
  wanted: readonly WantedTerm[],
  analyses: ReadonlyMap<string, AnalysisRow>,
): Match[] {
  const lexemes = words.map((word) => lexemesIn(word, analyses))
  const matches: Match[] = []
  const single = new Map<string, number>()
  for (const { term, group } of wanted) if (term.kind === 'word') single.set(term.lexeme, group)
  const beginnings = wanted.filter(({ term }) => term.kind === 'prefix')
  for (const [at, word] of words.entries()) {
    const group = groupOf(word, lexemes[at] ?? [], single, beginnings)
    if (group !== undefined) matches.push({ from: word.from, to: word.to, group })
  }
  for (const chunk of chunks) {
    const found = lexemesIn(chunk, analyses).find((one) => hasSigns(one) && single.has(one))
    const group = found === undefined ? undefined : single.get(found)
    if (group !== undefined) matches.push({ from: chunk.from, to: chunk.to, group })
  }
  for (const { term, group } of wanted) {
    if (term.kind !== 'phrase') continue
    for (const at of findPhrase(term.steps, words, lexemes)) {
      const { from, to } = words[at] as Word
      matches.push({ from, to, group })
    }
  }
  return matches
}

/** The words of a phrase by themselves, for a phrase whose words the parser counts in another way than we do. */
export function wordsOfPhrase({ term, group }: WantedTerm): WantedTerm[] {
  return lexemesOf(term).map((lexeme) => ({ term: { kind: 'word', lexeme }, group }))
}

/** Puts matches in order, those that overlap or touch inside a word as one. */
export function merged(matches: readonly Match[]): Match[] {
  const sorted = [...matches].sort((a, b) => a.from - b.from || b.to - a.to)
  const result: Match[] = []
  for (const match of sorted) {
    const last = result.at(-1)
    if (last !== undefined && match.from < last.to) {
      result[result.length - 1] = { ...last, to: Math.max(last.to, match.to) }
    } else result.push(match)
  }
  return result
}

function lexemesIn(word: Word, analyses: ReadonlyMap<string, AnalysisRow>): readonly string[] {
  if (word.pair) return [word.text]
  return analyses.get(word.text)?.lexemes.map(([lexeme]) => lexeme) ?? []
}

function groupOf(
  word: Word,
  lexemes: readonly string[],
  single: ReadonlyMap<string, number>,
  beginnings: readonly WantedTerm[],
): number | undefined {
  for (const lexeme of lexemes) {
    const group = single.get(lexeme)
    if (group !== undefined) return group
  }
  if (beginnings.length === 0) return undefined
  const forms = [word.text.toLowerCase(), ...lexemes]
  return beginnings.find(({ term }) =>
    forms.some((form) => term.kind === 'prefix' && form.startsWith(term.lexeme)),
  )?.group
}

/** Places of a phrase that are compared; a phrase of many equal words in a text of them would take for ever. */
const MAX_STEPS = 32

/** Which words stand as in the phrase. */
function findPhrase(
  all: readonly Step[],
  words: readonly Word[],
  lexemes: readonly (readonly string[])[],
): Set<number> {
  const steps = all.slice(0, MAX_STEPS)
  const found = new Set<number>()
  for (let start = 0; start < words.length; start++) {
    const fits = steps.every(({ at, lexemes: one }) =>
      lexemes[start + at]?.some((lexeme) => one.includes(lexeme)),
    )
    if (fits) for (const { at } of steps) found.add(start + at)
  }
  return found
}

function lexemesOf(term: Term): string[] {
  if (term.kind === 'phrase') return term.steps.flatMap(({ lexemes }) => lexemes)
  return term.kind === 'word' ? [term.lexeme] : []
}

function hasSigns(lexeme: string): boolean {
  return /[^\p{L}\p{N}\p{M}]/u.test(lexeme)
}
