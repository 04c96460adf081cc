/**
 * Encryption of what a session holds, by AES-256-GCM.
 *
 * A sealed text is `~<key id>.<base64url of nonce, ciphertext and tag>`; JSON of a session begins with `{`, so the two are never confused. The nonce is random: one
 * key seals some four thousand million texts before two nonces are likely to be equal (NIST SP 800-38D allows 2^32 of them). The session's name and hash are authenticated with the text, so
 * that nobody who can write to the table can give one session the contents of another.
 *
 * @see https://nvlpubs.nist.gov/nistpubs/Legacy/SP/nistspecialpublication800-38d.pdf
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { sessionError } from './errors.js'

const KEY_BYTES = 32
const NONCE_BYTES = 12
const TAG_BYTES = 16

/** A key that sessions are encrypted with. */
export interface EncryptionKey {
  /** Names the key in what it sealed: letters, digits, `-` and `_`, 32 at most. */
  readonly id: string
  /** 32 bytes, or their base64 or hex. */
  readonly key: Uint8Array | string
}

/** Options of encryption. */
export interface EncryptionOptions {
  /** The first one seals, all of them open. To rotate, put a new one in front; take an old one out after {@link Sessions.reencrypt}. */
  readonly keys: readonly EncryptionKey[]
  /**
   * Opens also what is not encrypted, as long as sessions from before encryption are about. Without it such a session counts as forged.
   *
   * @defaultValue `false`
   */
  readonly acceptPlain?: boolean | undefined
}

/** What a sealed text is bound to: it opens for no other session. */
export function sealContext(name: string, hash: string): string {
  return `${name}:${hash}`
}

/** Seals and opens the texts of sessions. */
export class KeyRing {
  readonly #keys: ReadonlyMap<string, Buffer>
  readonly #current: string
  readonly #acceptPlain: boolean

  /** @throws {@link HowdahError} SESSION_INVALID_OPTION */
  constructor(options: EncryptionOptions) {
    const { keys, acceptPlain = false } = options
    if (!Array.isArray(keys) || keys.length === 0)
      throw invalid('encryption needs at least one key.')
    if (typeof acceptPlain !== 'boolean') throw invalid('acceptPlain must be true or false.')
    const ring = new Map<string, Buffer>()
    for (const { id, key } of keys as readonly EncryptionKey[]) {
      if (typeof id !== 'string' || !/^[\w-]{1,32}$/.test(id)) {
        throw invalid('The id of a key must be 1 to 32 letters, digits, - or _.')
      }
      if (ring.has(id)) throw invalid('Two keys have the same id. Give each its own.')
      ring.set(id, bytesOf(key))
    }
    this.#keys = ring
    this.#current = [...ring.keys()][0] as string
    this.#acceptPlain = acceptPlain
  }

  /** What a text begins with that need not be sealed anew. */
  get currentPrefix(): string {
    return `~${this.#current}.`
  }

  seal(text: string, context: string): string {
    const nonce = randomBytes(NONCE_BYTES)
    const cipher = createCipheriv('aes-256-gcm', this.#keys.get(this.#current) as Buffer, nonce)
    cipher.setAAD(Buffer.from(context, 'utf8'))
    const sealed = [nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]
    return this.currentPrefix + Buffer.concat(sealed).toString('base64url')
  }

  /** @throws {@link HowdahError} SESSION_UNREADABLE */
  open(stored: string, context: string): string {
    if (!stored.startsWith('~')) {
      if (this.#acceptPlain) return stored
      throw unreadable(
        'is not encrypted. Set acceptPlain while sessions from before encryption are about.',
      )
    }
    const dot = stored.indexOf('.')
    const key = this.#keys.get(stored.slice(1, dot))
    if (key === undefined) {
      throw unreadable(
        'was encrypted by a key that is not in the ring. Put that key back, behind the current one.',
      )
    }
    const bytes = Buffer.from(stored.slice(dot + 1), 'base64url')
    try {
      const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, NONCE_BYTES), {
        authTagLength: TAG_BYTES,
      })
      decipher.setAAD(Buffer.from(context, 'utf8'))
      decipher.setAuthTag(bytes.subarray(-TAG_BYTES))
      const text = decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES), undefined, 'utf8')
      return text + decipher.final('utf8')
    } catch {
      // The reason says nothing that the caller could act on, and may say something to an attacker.
      throw unreadable('does not fit its key: it was changed, or belongs to another session.')
    }
  }
}

/** What stands in for a ring where nothing is encrypted. */
export const PLAIN: Pick<KeyRing, 'seal' | 'open'> = {
  seal: (text) => text,
  open(stored) {
    if (!stored.startsWith('~')) return stored
    throw unreadable('is encrypted, and no keys are given. Give `encryption` the keys.')
  },
}

function bytesOf(key: unknown): Buffer {
  let bytes: Buffer | undefined
  if (key instanceof Uint8Array) bytes = Buffer.from(key)
  else if (typeof key === 'string')
    bytes = Buffer.from(key, /^[0-9a-f]{64}$/i.test(key) ? 'hex' : 'base64')
  if (bytes?.length === KEY_BYTES) return bytes
  throw invalid('A key must be 32 bytes, or their base64 or hex: crypto.randomBytes(32).')
}

function invalid(message: string) {
  return sessionError('SESSION_INVALID_OPTION', message)
}

function unreadable(what: string) {
  return sessionError('SESSION_UNREADABLE', `A stored session ${what}`)
}
