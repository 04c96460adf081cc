import crypto, { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { sessionError } from './errors.js'

/** 256 bits: nobody guesses one, nobody draws one twice. */
const ID_BYTES = 32
/** Longer ones are no ids of anybody's; hashing them would be work for an attacker's sake. */
const MAX_ID_LENGTH = 4096

/** Draws an id, 43 characters that need no escaping in a cookie. */
export function newId(): string {
  return randomBytes(ID_BYTES).toString('base64url')
}

/**
 * SHA-256 of a session id, in hex: all of an id that leaves this process.
 *
 * @throws {@link HowdahError} SESSION_INVALID_ID when the id is empty, too long, no string, or not well-formed Unicode
 */
export function hashId(id: unknown): string {
  // A lone surrogate has no UTF-8 form: its replacement would make two ids one.
  if (typeof id !== 'string' || id === '' || id.length > MAX_ID_LENGTH || !isWellFormed(id)) {
    throw sessionError(
      'SESSION_INVALID_ID',
      `A session id must be a non-empty string of well-formed Unicode, ${MAX_ID_LENGTH} characters at most. Use a random one of at least 128 bits.`,
    )
  }
  return refOf(id)
}

/** SHA-256, in hex, of whatever is used as an id: to report it by. */
export function refOf(id: unknown): string {
  return sha256(String(id))
}

const HASH_LENGTH = 64
const ONE = Buffer.alloc(HASH_LENGTH)
const OTHER = Buffer.alloc(HASH_LENGTH)

/** Compares two hashes, in hex, in a time that tells nothing of where they differ. The buffers are there once: every load comes here. */
export function sameHash(a: string, b: string): boolean {
  if (a.length !== HASH_LENGTH || b.length !== HASH_LENGTH) return false
  ONE.write(a, 'latin1')
  OTHER.write(b, 'latin1')
  return timingSafeEqual(ONE, OTHER)
}

/** Tells whether a text has a UTF-8 form. */
export function isWellFormed(text: string): boolean {
  // In every Node since 20, and in TypeScript's library of ES2024.
  return (text as string & { isWellFormed(): boolean }).isWellFormed()
}

/** In one call since Node 20.12: an object for each hash keeps the garbage collector busy. */
function sha256(text: string): string {
  if (crypto.hash === undefined) return createHash('sha256').update(text).digest('hex')
  return crypto.hash('sha256', text)
}
