import { groupQuery, type LabelsOf, unwantedQuery, wantedQuery } from '../query/plan-query.js'
import {
  type Alternative,
  type Group,
  type QueryPlan,
  type Term,
  termQuery,
} from '../query/query-plan.js'

/** Words that the bit planes are added up for; a query with more is answered from the documents that have any of them. */
export const MAX_WORDS = 64

/** A plan as the functions of a generation take it. `tsquery`s are text, in which lexemes are quoted. */
export interface NativeQuery {
  /** Whether the words, and how many of the units a document needs, say all there is. */
  readonly simple: boolean
  /** Words to rank by: each with what its score is multiplied by, and the number of the unit that it is an alternative of. */
  readonly terms: readonly string[]
  readonly weights: readonly number[]
  readonly units: readonly number[]
  /** How many of the units a document needs; 0 where what is found is to be left out of a list of everything. */
  readonly need: number
  readonly wanted: string | null
  readonly unwanted: string | null
  /** Units of which a document needs `need`, where `wanted` does not say so. */
  readonly counted: readonly string[]
  /** Beginnings of words to rank by, with the words that they are completed to. */
  readonly stars: readonly string[]
  /** What the words begin with. */
  readonly stems: readonly string[]
  /** Words of which a document that is wanted, or has a beginning by a completion, has one at least, unless it has a beginning. */
  readonly seeks: readonly string[]
}

/** Makes of a plan what is to be found; `minimum` is the number of units that a document needs where none is required. */
export function nativeQuery(plan: QueryPlan, minimum: number, labelsOf: LabelsOf): NativeQuery {
  const { branches, excluded } = plan
  const groups = branches.flat()
  const unitOf = numbered(groups)
  const unitCount = new Set(unitOf.values()).size
  const words = wordsOf(groups, unitOf)
  const [only, another] = branches
  const none = !groups.some(({ required }) => required)
  const single = only !== undefined && another === undefined
  const all = single && groups.every(({ required }) => required)
  const least = single && none ? Math.max(1, Math.min(minimum, unitCount)) : 1
  const plain = groups.every(
    ({ field, alternatives }) =>
      field === undefined && alternatives.every(({ term }) => term.kind === 'word'),
  )
  const anyOf = none || branches.every(({ length }) => length === 1)
  return {
    simple: plain && (all || anyOf) && excluded.length === 0 && words.length <= MAX_WORDS,
    terms: words.map(({ lexeme }) => lexeme),
    weights: words.map(({ weight }) => weight),
    units: words.map(({ unit }) => unit),
    need: all ? unitCount : least,
    wanted: wantedQuery(plan, labelsOf) ?? null,
    unwanted: unwantedQuery(plan, labelsOf) ?? null,
    counted: least > 1 ? [...unitOf.keys()].filter(first(unitOf)).map(queryOf) : [],
    ...beginnings(groups.map(({ alternatives }) => alternatives.map(({ term }) => term))),
    seeks: seeksOf(branches),
  }
}

/** A query that asks for nothing. */
export const NOTHING_ASKED: NativeQuery = {
  simple: false,
  terms: [],
  weights: [],
  units: [],
  need: 1,
  wanted: null,
  unwanted: null,
  counted: [],
  stars: [],
  stems: [],
  seeks: [],
}

/** The plain words that a plan excludes: rows with them can be cut away before anything is looked at. */
export function excludedWords({ excluded }: QueryPlan): string[] {
  return excluded.flatMap(({ term, field }) =>
    term.kind === 'word' && field === undefined ? [term.lexeme] : [],
  )
}

/** The plan without these words. */
export function withoutExcludedWords(plan: QueryPlan): QueryPlan {
  const excluded = plan.excluded.filter(
    ({ term, field }) => term.kind !== 'word' || field !== undefined,
  )
  return { ...plan, excluded }
}

/** Makes of a plan what is not to be found: documents with any of what it excludes. */
export function excludedQuery(plan: QueryPlan, labelsOf: LabelsOf): NativeQuery {
  const terms = plan.excluded.map(({ term }) => term)
  return {
    simple: false,
    terms: [],
    weights: [],
    units: [],
    need: 0,
    wanted: unwantedQuery(plan, labelsOf) ?? null,
    unwanted: null,
    counted: [],
    ...beginnings(terms.map((term) => [term])),
    seeks: [...new Set(terms.flatMap(lexemesOf))],
  }
}

/** A word to rank by. */
export interface RankedWord {
  readonly lexeme: string
  readonly unit: number
  readonly weight: number
  /** What it is searched for; the first, where several have it. */
  readonly alternative: Alternative
}

/** The words of a plan in the order of `terms`. */
export function rankedWords({ branches }: QueryPlan): RankedWord[] {
  const groups = branches.flat()
  return wordsOf(groups, numbered(groups))
}

/** The groups of a plan in the order of `stars`. */
export function rankedBeginnings({ branches }: QueryPlan): Group[] {
  return branches.flat().filter(isBeginning)
}

/** Numbers groups; those that ask for the same have one number. */
function numbered(groups: readonly Group[]): Map<Group, number> {
  const known = new Map<string, number>()
  const numbers = new Map<Group, number>()
  for (const group of groups) {
    const key = JSON.stringify([group.field, group.alternatives.map(({ term }) => term)])
    const unit = known.get(key) ?? known.size
    known.set(key, unit)
    numbers.set(group, unit)
  }
  return numbers
}

function first(unitOf: ReadonlyMap<Group, number>): (group: Group) => boolean {
  const seen = new Set<number | undefined>()
  return (group) => seen.size < seen.add(unitOf.get(group)).size
}

function wordsOf(groups: readonly Group[], unitOf: ReadonlyMap<Group, number>): RankedWord[] {
  const words = new Map<string, RankedWord>()
  for (const group of groups) {
    if (isBeginning(group)) continue
    const unit = unitOf.get(group) ?? 0
    for (const alternative of group.alternatives) {
      for (const lexeme of lexemesOf(alternative.term)) {
        const key = `${unit} ${lexeme}`
        const known = words.get(key) ?? { lexeme, unit, weight: 0, alternative }
        words.set(key, { ...known, weight: known.weight + alternative.weight })
      }
    }
  }
  return [...words.values()]
}

function isBeginning({ alternatives }: Group): boolean {
  return alternatives.some(({ term }) => term.kind === 'prefix')
}

function beginnings(units: readonly (readonly Term[])[]): Pick<NativeQuery, 'stars' | 'stems'> {
  const begun = units.filter((terms) => terms.some(({ kind }) => kind === 'prefix'))
  return {
    stars: begun.map((terms) => terms.map((term) => `(${termQuery(term)})`).join(' | ')),
    stems: begun.flat().flatMap((term) => (term.kind === 'prefix' ? [term.lexeme] : [])),
  }
}

function seeksOf(branches: QueryPlan['branches']): string[] {
  const sought = branches.flatMap((groups) => {
    const required = groups.filter((group) => group.required)
    const from = required.length > 0 ? required : groups
    return [...from, ...groups.filter(isBeginning)]
  })
  const terms = sought.flatMap(({ alternatives }) => alternatives.map(({ term }) => term))
  return [...new Set(terms.flatMap(lexemesOf))]
}

function lexemesOf(term: Term): string[] {
  if (term.kind === 'phrase') return term.steps.flatMap(({ lexemes }) => lexemes)
  return term.kind === 'word' ? [term.lexeme] : []
}

function queryOf(group: Group): string {
  return groupQuery(group, () => '')
}
