import { cacheError } from '../errors.js'

/**
 * One token at a time, of the lexical rules of PostgreSQL as far as it takes to tell what is quoted. The order matters: a name may
 * hold `$1`, and `e'...'` is no name followed by a string.
 */
const TOKEN =
  /(?<space>\s+|--[^\n\r]*)|(?<string>[eE]'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*")|(?<dollar>\$(?:[A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$)|(?<name>[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*)|(?<parameter>\$\d+)|(?<comment>\/\*)|(?<other>.)/suy

/**
 * Checks that a text is one statement without parameters and answers it without the semicolon at its end. What the statement does
 * is not looked at: it is the application's own, like any SQL it sends.
 *
 * @throws {@link HowdahError} CACHE_MATERIALIZED_INVALID
 */
export function singleStatement(sql: unknown): string {
  if (typeof sql !== 'string' || sql.includes('\0') || /\p{Surrogate}/u.test(sql)) {
    throw invalid('must be well-formed text without NUL')
  }
  let end: number | undefined
  let empty = true
  for (let at = 0; at < sql.length; ) {
    const { space, dollar, comment, parameter, other } = tokenAt(sql, at)
    const start = at
    if (dollar !== undefined) at = after(sql, dollar, at + dollar.length, 'dollar-quoted text')
    else if (comment !== undefined) at = endOfComment(sql, at)
    else at = TOKEN.lastIndex
    if (space !== undefined || comment !== undefined) continue
    if (parameter !== undefined) {
      throw invalid(`cannot have parameters, and has ${parameter}. Write the value into the text`)
    }
    if (other === "'" || other === '"') throw invalid('has a quotation that never ends')
    if (other === ';') {
      end ??= start
      continue
    }
    if (end !== undefined)
      throw invalid('must be one statement, and there is more after a semicolon')
    empty = false
  }
  if (empty) throw invalid('must not be empty')
  return sql.slice(0, end).trim()
}

function tokenAt(sql: string, at: number): Record<string, string | undefined> {
  TOKEN.lastIndex = at
  return TOKEN.exec(sql)?.groups ?? {}
}

/** Comments of PostgreSQL nest. */
function endOfComment(sql: string, start: number): number {
  const mark = /\/\*|\*\//g
  mark.lastIndex = start
  let depth = 0
  for (let found = mark.exec(sql); found !== null; found = mark.exec(sql)) {
    depth += found[0] === '/*' ? 1 : -1
    if (depth === 0) return mark.lastIndex
  }
  throw invalid('has a comment that never ends')
}

function after(sql: string, mark: string, from: number, what: string): number {
  const found = sql.indexOf(mark, from)
  if (found < 0) throw invalid(`has ${what} that never ends`)
  return found + mark.length
}

function invalid(problem: string) {
  return cacheError('CACHE_MATERIALIZED_INVALID', `The SQL of a materialised query ${problem}.`)
}
