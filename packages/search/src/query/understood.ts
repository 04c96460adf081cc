import type { Alternative, QueryPlan } from './query-plan.js'

/** What was searched besides something that was typed. */
export interface Understood {
  /** A word or beginning as it was typed, or several words that have a synonym together. */
  readonly typed: string
  /** What was searched besides, the likeliest of each origin first. */
  readonly searched: readonly SearchedWord[]
}

/** A word or phrase that nobody typed. */
export interface SearchedWord {
  readonly word: string
  /** Whether it corrects what was typed, means the same, or goes on from it. */
  readonly origin: 'correction' | 'synonym' | 'completion'
}

/**
 * Lists what is searched besides what was typed, in the order of the query; without the words of rows, unless these are for who asks.
 */
export function understood(
  { branches }: Pick<QueryPlan, 'branches'>,
  wordsOfRows = true,
): Understood[] {
  const found = new Map<string, Map<string, SearchedWord>>()
  const alternatives = branches
    .flat()
    .flatMap((group): readonly Alternative[] => group.alternatives)
  for (const { typed, text, origin } of alternatives) {
    if (origin === 'typed' || (origin !== 'synonym' && !wordsOfRows)) continue
    const searched = found.get(typed) ?? new Map<string, SearchedWord>()
    found.set(typed, searched.set(`${origin} ${text}`, { word: text, origin }))
  }
  return [...found].map(([typed, searched]) => ({ typed, searched: [...searched.values()] }))
}
