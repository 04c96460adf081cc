import { HowdahError } from './errors.js'

/** PostgreSQL cuts longer names silently (NAMEDATALEN - 1), so two long names could become one. */
const MAX_BYTES = 63

/**
 * Quotes a name for use inside SQL text, so that any schema, table or column name is safe there.
 *
 * @throws {@link HowdahError} CORE_INVALID_NAME when the name is empty, holds NUL or a lone surrogate, or is longer
 * than 63 bytes in UTF-8
 *
 * @example
 * ```ts
 * import { ident } from '@howdah/core'
 *
 * ident('we "ird') // "we ""ird"
 * ident('app', 'users') // "app"."users"
 * ```
 */
export function ident(...path: readonly [string, ...string[]]): string {
  return path.map(quote).join('.')
}

function quote(name: unknown): string {
  const problem = nameProblem(name)
  if (problem !== undefined) {
    throw new HowdahError('CORE_INVALID_NAME', `A database name ${problem}. Choose another name.`)
  }
  return `"${(name as string).replaceAll('"', '""')}"`
}

function nameProblem(name: unknown): string | undefined {
  if (typeof name !== 'string') return `must be a string, not ${typeof name}`
  if (name === '') return 'must not be empty'
  if (name.includes('\0')) return 'must not contain a NUL character'
  // The driver would replace a lone surrogate, so two different names could become one.
  if (/\p{Surrogate}/u.test(name)) return 'must be well-formed Unicode'
  if (Buffer.byteLength(name) > MAX_BYTES) {
    return `must be at most ${MAX_BYTES} bytes, and '${name.slice(0, 30)}…' is ${Buffer.byteLength(name)}`
  }
  return undefined
}

/** Takes back what {@link ident} did to a single name. */
export function unquoted(quotedName: string): string {
  return quotedName.slice(1, -1).replaceAll('""', '"')
}

/**
 * Quotes a string as a SQL literal, for the few places that take no parameter (DDL and `LISTEN`).
 *
 * @throws {@link HowdahError} CORE_INVALID_NAME when the string holds NUL or a lone surrogate
 */
export function literal(value: string): string {
  if (value.includes('\0') || /\p{Surrogate}/u.test(value)) {
    throw new HowdahError(
      'CORE_INVALID_NAME',
      'A text literal must be well-formed Unicode without a NUL character.',
    )
  }
  // The E form does not depend on standard_conforming_strings.
  return `E'${value.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`
}
