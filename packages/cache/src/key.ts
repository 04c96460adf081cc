import { createHash } from 'node:crypto'
import { cacheError } from './errors.js'
import { SEPARATOR } from './migrations/fragments.js'

/** Marks a key stored as a digest; a key of the application's that starts with it is stored so too, so the two never meet. */
export const DIGEST_MARK = '#'
/** Marks the digest of a key that SQL cannot say, so that it meets none that SQL can. */
const RAW_DIGEST_MARK = '##'
/** A btree entry holds about 2,700 bytes. The SQL function `cache_key` has the same rule. */
const MAX_PLAIN_BYTES = 512

/**
 * Turns any string into a key PostgreSQL can store and index, and a list of them can hold: itself, or its SHA-256 where it is
 * empty or long, holds NUL or a unit separator, or is not well-formed Unicode.
 *
 * @throws {@link HowdahError} CACHE_INVALID_KEY when the key is no string
 */
export function storedKey(key: string): string {
  if (typeof key !== 'string') {
    throw cacheError('CACHE_INVALID_KEY', `A cache key must be a string, not ${typeof key}.`)
  }
  return isPlain(key) ? key : digest(key)
}

/** JSON of a key whose stored form is a digest, so that it can be listed; else `undefined`. */
export function originalOf(key: string, stored: string): string | undefined {
  return key === stored ? undefined : JSON.stringify(key)
}

function isPlain(key: string): boolean {
  if (key.length * 3 > MAX_PLAIN_BYTES && Buffer.byteLength(key) > MAX_PLAIN_BYTES) return false
  if (key === '' || key.startsWith(DIGEST_MARK) || key.includes(SEPARATOR)) return false
  return isSayable(key)
}

function isSayable(key: string): boolean {
  return !key.includes('\0') && (key as string & { isWellFormed(): boolean }).isWellFormed()
}

function digest(key: string): string {
  const sayable = isSayable(key)
  // UTF-16 keeps lone surrogates apart, which UTF-8 would all turn into one replacement character.
  const hash = createHash('sha256').update(key, sayable ? 'utf8' : 'utf16le')
  return (sayable ? DIGEST_MARK : RAW_DIGEST_MARK) + hash.digest('base64url')
}
