import { createHash } from 'node:crypto'
import { cacheError } from './errors.js'

/** Marks a key stored as a digest; a key of the application's that starts with it is stored so too, so the two never meet. */
const DIGEST_MARK = '#'
/** A btree entry holds about 2,700 bytes; 512 UTF-16 units are at most 1,536 bytes in UTF-8. */
const MAX_PLAIN_LENGTH = 512

/**
 * Turns any string into a key PostgreSQL can store and index: itself, or its SHA-256 where it is long, holds NUL, or is not
 * well-formed Unicode.
 *
 * @throws {@link HowdahError} CACHE_INVALID_KEY when the key is no string
 */
export function storedKey(key: string): string {
  if (typeof key !== 'string') {
    throw cacheError('CACHE_INVALID_KEY', `A cache key must be a string, not ${typeof key}.`)
  }
  const plain =
    key.length <= MAX_PLAIN_LENGTH &&
    !key.startsWith(DIGEST_MARK) &&
    !key.includes('\0') &&
    !/\p{Surrogate}/u.test(key)
  if (plain) return key
  // UTF-16 keeps lone surrogates apart, which UTF-8 would all turn into one replacement character.
  return DIGEST_MARK + createHash('sha256').update(key, 'utf16le').digest('base64url')
}
