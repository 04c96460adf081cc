import type { Alternative, Group } from '../query/query-plan.js'
import type { SynonymRule } from './compiled-rules.js'

/** What a synonym counts against the word that was typed. */
const WEIGHT = 0.9

/**
 * Adds synonyms to the groups of a branch. Where several words in a row have one, each of their groups gets it, so that a document has
 * all of them by the synonym alone, and none by a part of the words.
 *
 * @param joins - whether a group came from a word that was typed plainly: phrases and the like are taken as they stand
 */
export function addSynonyms(
  groups: readonly Group[],
  synonyms: ReadonlyMap<string, readonly SynonymRule[]>,
  joins: (group: Group) => boolean,
): Group[] {
  const added = groups.map((): Alternative[] => [])
  for (const [at, group] of groups.entries()) {
    for (const rule of new Set(lexemesOf(group).flatMap((lexeme) => synonyms.get(lexeme) ?? []))) {
      const spanned = groups.slice(at, at + rule.from.length)
      const fits = rule.from.every((lexemes, n) => {
        const one = spanned[n]
        if (one === undefined || !joins(one) || one.field !== group.field) return false
        return lexemesOf(one).some((lexeme) => lexemes.includes(lexeme))
      })
      if (!fits) continue
      const typed = [...new Set(spanned.map(({ alternatives }) => alternatives[0]?.typed))].join(
        ' ',
      )
      const found = rule.to.map(
        ({ text, term }): Alternative => ({ term, weight: WEIGHT, origin: 'synonym', typed, text }),
      )
      for (let n = at; n < at + rule.from.length; n++) added[n]?.push(...found)
    }
  }
  return groups.map((group, at) => ({
    ...group,
    alternatives: distinct([...group.alternatives, ...(added[at] ?? [])]),
  }))
}

/** Of equal terms the first. */
export function distinct(alternatives: readonly Alternative[]): Alternative[] {
  const seen = new Map<string, Alternative>()
  for (const alternative of alternatives) {
    const name = JSON.stringify(alternative.term)
    if (!seen.has(name)) seen.set(name, alternative)
  }
  return [...seen.values()]
}

function lexemesOf({ alternatives }: Group): string[] {
  return alternatives.flatMap(({ term, origin }) =>
    term.kind === 'word' && origin !== 'completion' ? [term.lexeme] : [],
  )
}
