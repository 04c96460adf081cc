import type { Clause, QueryTree } from './query-tree.js'

/** How much of a query is read: enough for what people type, and a hostile query costs no more. */
export const MAX_QUERY_CHARACTERS = 4096
export const MAX_QUERY_CLAUSES = 400
/** Beginnings of words cost most; further ones are read as words. */
export const MAX_QUERY_BEGINNINGS = 8

/** Quotation marks, also those that phones put in the place of straight ones. Any of them ends a phrase. */
const QUOTES = '"“”„«»'
const SPACE = /\s/

/**
 * Reads the query language: words, `"phrases"`, `-excluded`, `field:word`, `prefix*` and `OR`. Everything is a query: what makes no sense as
 * a sign is read as a part of a word, or passed over. Looks at each character a fixed number of times.
 *
 * @param fields - names that may stand before a colon; any other text before one is a part of the word
 */
export function parseQuery(query: string, fields: readonly string[]): QueryTree {
  const text = readable(query)
  const known = new Map(fields.map((field) => [field.toLowerCase(), field]))
  const longest = Math.max(0, ...fields.map(({ length }) => length))
  const branches: Clause[][] = []
  const excluded: Clause[] = []
  let branch: Clause[] = []
  let clauses = 0
  let beginnings = 0
  let at = 0
  while (at < text.length && clauses < MAX_QUERY_CLAUSES) {
    if (SPACE.test(text.charAt(at))) {
      at++
      continue
    }
    // Two signs are no exclusion but the name of an option, as in --verbose.
    const minus = text.charAt(at) === '-' && text.charAt(at + 1) !== '-'
    const start = minus ? at + 1 : at
    const field = fieldAt(text, start, known, longest)
    const from = field === undefined ? start : start + field.length + 1
    const { clause: found, end } = clauseAt(text, from, field && known.get(field.toLowerCase()))
    at = Math.max(end, at + 1)
    if (found === undefined) continue
    if (found.kind === 'prefix') beginnings++
    const clause: Clause = beginnings > MAX_QUERY_BEGINNINGS ? asWord(found) : found
    if (!minus && field === undefined && clause.kind === 'word' && clause.text === 'OR') {
      branches.push(branch)
      branch = []
      continue
    }
    clauses++
    if (minus) excluded.push(clause)
    else branch.push(clause)
  }
  branches.push(branch)
  return { text, branches: branches.filter(({ length }) => length > 0), excluded }
}

function asWord(clause: Clause): Clause {
  return clause.kind === 'prefix' ? { ...clause, kind: 'word' } : clause
}

/** PostgreSQL's text holds no NUL, and no half of a pair of surrogates. */
function readable(query: string): string {
  const text = query.slice(0, MAX_QUERY_CHARACTERS).replaceAll('\0', ' ')
  return text.replace(/\p{Surrogate}/gu, ' ')
}

/** The name of a field before a colon, where something follows it. */
function fieldAt(
  text: string,
  from: number,
  known: ReadonlyMap<string, string>,
  longest: number,
): string | undefined {
  let end = from
  while (end <= from + longest && end < text.length && text.charAt(end) !== ':') end++
  const next = text.charAt(end + 1)
  if (text.charAt(end) !== ':' || next === '' || SPACE.test(next)) return undefined
  const name = text.slice(from, end)
  return known.has(name.toLowerCase()) ? name : undefined
}

function clauseAt(
  text: string,
  from: number,
  field: string | undefined,
): { clause: Clause | undefined; end: number } {
  if (QUOTES.includes(text.charAt(from)) && from < text.length) {
    let end = from + 1
    while (end < text.length && !QUOTES.includes(text.charAt(end))) end++
    const phrase = text.slice(from + 1, end)
    const clause: Clause = { kind: 'phrase', text: phrase, field, at: from + 1 }
    return { clause: phrase.trim() === '' ? undefined : clause, end: end + 1 }
  }
  let end = from
  while (end < text.length && !SPACE.test(text.charAt(end))) end++
  let stem = end
  while (stem > from && text.charAt(stem - 1) === '*') stem--
  const word = text.slice(from, stem)
  const kind = stem < end ? 'prefix' : 'word'
  // Signs alone name nothing.
  const named = /[\p{L}\p{N}]/u.test(word)
  return { clause: named ? { kind, text: word, field, at: from } : undefined, end }
}
