/**
 * Writes down what was thrown, so that PostgreSQL can keep it: its text holds no NUL and no half characters, and an endless message helps nobody. Never throws.
 *
 * @param most - UTF-16 units of it that are kept
 *
 * @example
 * ```ts
 * import { errorText } from '@howdah/core'
 *
 * errorText('no\0such thing', 100) // 'no\\0such thing'
 * ```
 */
export function errorText(error: unknown, most: number): string {
  const text = error instanceof Error ? (error.stack ?? error.message) : describe(error)
  return text
    .slice(0, most)
    .replaceAll(/\p{Surrogate}/gu, '\ufffd')
    .replaceAll('\0', '\\0')
}

function describe(value: unknown): string {
  try {
    return String(value)
  } catch {
    return 'A value without a text form was thrown.'
  }
}
