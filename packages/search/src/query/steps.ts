import type { AnalysisRow } from '../sql/analyze-texts.js'
import type { Step, Term } from './query-plan.js'

/** The places of a text that have lexemes; several at one place are forms of one word. */
export function stepsOf({ lexemes }: AnalysisRow): Step[] {
  const places = new Map<number, string[]>()
  for (const [lexeme, positions] of lexemes) {
    for (const position of positions) {
      places.set(position, [...(places.get(position) ?? []), lexeme])
    }
  }
  const sorted = [...places].sort(([a], [b]) => a - b)
  const first = sorted[0]?.[0] ?? 0
  return sorted.map(([position, found]) => ({ at: position - first, lexemes: found.sort() }))
}

/** What a document must have to have the text: its one lexeme, or all of them in their places. */
export function termOf(steps: readonly Step[]): Term | undefined {
  const [first, second] = steps
  if (first === undefined) return undefined
  const [lexeme, another] = first.lexemes
  if (second === undefined && another === undefined && lexeme !== undefined) {
    return { kind: 'word', lexeme }
  }
  return { kind: 'phrase', steps }
}
