import { sessionError } from './errors.js'
import { isWellFormed } from './id.js'

/** Ids of users are looked up by an index, whose rows are not large. */
const MAX_LENGTH = 500

/**
 * Whose session it is, as its column has it; `null` for nobody's.
 *
 * @throws {@link HowdahError} SESSION_INVALID_USER
 */
export function userColumn(user: unknown): string | null {
  if (user === undefined || user === null || user === '') return null
  const text = typeof user === 'number' || typeof user === 'bigint' ? String(user) : user
  if (
    typeof text === 'string' &&
    text.length <= MAX_LENGTH &&
    isWellFormed(text) &&
    !text.includes('\0')
  ) {
    return text
  }
  throw sessionError(
    'SESSION_INVALID_USER',
    `The user of a session must be a string of at most ${MAX_LENGTH} well-formed characters without NUL, or a number. Give \`userId\` a function that answers one.`,
  )
}
