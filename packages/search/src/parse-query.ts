/** One thing a query asks for. */
export interface QueryUnit {
  readonly text: string
  readonly prefix: boolean
  /** Documents with it are left out. */
  readonly excluded: boolean
  /** Units of one branch must all match; of several branches, one must. */
  readonly branch: number
}

/** How the words of a query go together: a document has any of them, or all. */
export type QueryMode = 'any' | 'all'

/**
 * How much of a query is read. Enough for what people type; a hostile query costs no more than this.
 */
export const MAX_QUERY_CHARACTERS = 4096
export const MAX_QUERY_UNITS = 64

const UNIT = /(-?)(?:"([^"]*)(?:"|$)|(\S+))/g

/**
 * Reads the query language: words, `"phrases"`, `-excluded`, `prefix*` and `OR`. Anything is a query; what makes no sense
 * is read as words or passed over.
 */
export function parseQuery(query: string, mode: QueryMode): QueryUnit[] {
  const units: QueryUnit[] = []
  let branch = 0
  // PostgreSQL's text holds no NUL.
  const text = query.slice(0, MAX_QUERY_CHARACTERS).replaceAll('\0', ' ')
  for (const [, minus, phrase, word] of text.matchAll(UNIT)) {
    if (units.length === MAX_QUERY_UNITS) break
    if (word === 'OR' && minus === '') {
      branch++
      continue
    }
    const unit = read(phrase, word, minus === '-')
    if (unit === undefined) continue
    units.push({ ...unit, branch })
    if (mode === 'any') branch++
  }
  return units
}

function read(
  phrase: string | undefined,
  word: string | undefined,
  excluded: boolean,
): Omit<QueryUnit, 'branch'> | undefined {
  if (phrase !== undefined) {
    return phrase.trim() === '' ? undefined : { text: phrase, prefix: false, excluded }
  }
  // A quote inside a word separates nothing; PostgreSQL's parser passes over it.
  const [, stem = '', star = ''] = /^(.*?)(\**)$/s.exec(word ?? '') ?? []
  return stem === '' || stem === '-' ? undefined : { text: stem, prefix: star !== '', excluded }
}
