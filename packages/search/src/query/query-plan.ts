/**
 * What a query means to an engine. A document matches when it has none of `excluded` and satisfies one of the branches: it has all of its
 * required groups and, where none is required, one at least of the others. Groups that are not required add to the score.
 *
 * A document has a group when it has one of the alternatives.
 */
export interface QueryPlan {
  readonly branches: readonly (readonly Group[])[]
  readonly excluded: readonly ExcludedTerm[]
  /** Keys of documents that come first, in this order, whether they match or not; filters hold for them, too. */
  readonly pinned: readonly string[]
  /** Keys of documents that are left out. */
  readonly hidden: readonly string[]
  /** Whether nothing was asked for, so that everything is listed; a query of stop words alone asks for something, and finds nothing. */
  readonly blank: boolean
  /** The query with its corrections put in; undefined where there are none. */
  readonly didYouMean: string | undefined
}

/** One thing a query asks for. */
export interface Group {
  readonly required: boolean
  /** The field it must stand in; undefined for any. */
  readonly field: string | undefined
  /** What was typed comes first. */
  readonly alternatives: readonly Alternative[]
}

/** Where an alternative comes from. */
export type Origin = 'typed' | 'correction' | 'synonym' | 'completion'

/** One way to satisfy a group. */
export interface Alternative {
  readonly term: Term
  /** What its score is multiplied by, over 0 and at most 1. */
  readonly weight: number
  readonly origin: Origin
  /** What was typed that it stands for. */
  readonly typed: string
  /** What is searched, as people write it. */
  readonly text: string
}

/** What a document has or has not. */
export type Term =
  | { readonly kind: 'word'; readonly lexeme: string }
  /** A lexeme that begins so. Costs with the words there are: completions stand beside it, for where they will do. */
  | { readonly kind: 'prefix'; readonly lexeme: string }
  | { readonly kind: 'phrase'; readonly steps: readonly Step[] }

/** One place of a phrase, and the lexemes of which one must stand there. */
export interface Step {
  /** Counts from the first place of the phrase. */
  readonly at: number
  readonly lexemes: readonly string[]
}

/** A term that a document must not have. */
export interface ExcludedTerm {
  readonly term: Term
  readonly field: string | undefined
  readonly typed: string
}

/** A term as text of a `tsquery`; `labels` are weights of a field, such as `'AB'`. */
export function termQuery(term: Term, labels = ''): string {
  if (term.kind !== 'phrase') {
    const marks = `${term.kind === 'prefix' ? '*' : ''}${labels}`
    return marks === '' ? quote(term.lexeme) : `${quote(term.lexeme)}:${marks}`
  }
  const marks = labels === '' ? '' : `:${labels}`
  let query = ''
  let before = 0
  for (const { at, lexemes } of term.steps) {
    const one = lexemes.map((lexeme) => `${quote(lexeme)}${marks}`).join(' | ')
    const step = lexemes.length > 1 ? `( ${one} )` : one
    query = query === '' ? step : `${query} <${at - before}> ${step}`
    before = at
  }
  return query
}

/** Lexemes go into a `tsquery` quoted, so that nothing in them is a sign. */
function quote(lexeme: string): string {
  return `'${lexeme.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`
}
