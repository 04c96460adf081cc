/**
 * How values are written: a letter for the type, then the text; bytes follow in a column of their own, and in base64 after the
 * letter when they come back.
 *
 * j JSON, s text, n number, i bigint, d date in milliseconds, u undefined, b bytes; c, k and C what a codec of the application's made
 * (text, text as JSON, bytes); z and Z compressed text (with its letter) and compressed bytes.
 */
import { deflateRawSync, inflateRawSync } from 'node:zlib'
import { encodeJson } from '@howdah/core'
import { cacheError } from './errors.js'
import { SEPARATOR } from './migrations/fragments.js'

/** Turns values into text or bytes and back, instead of the cache's own encoding. Both must be synchronous. */
export interface CacheCodec {
  encode(value: unknown): string | Uint8Array
  decode(encoded: string | Uint8Array): unknown
}

/** How values are encoded. */
export interface EncodingOptions {
  readonly maxValueBytes: number
  /** Values of more bytes are compressed. */
  readonly compressAbove: number
  readonly codec: CacheCodec | undefined
}

/** A value ready to be stored. */
export interface EncodedValue {
  readonly text: string
  /** The bytes in base64 of a value that is stored as bytes. */
  readonly bin?: string | undefined
}

const JSON_FITS = 'Store plain data that JSON can say, a string, number, bigint, Date or bytes.'
/** Deflate's fastest level: compressing happens on the event loop, so that writes of a key keep their order. */
const COMPRESSION = { level: 1 }

/**
 * Encodes a value.
 *
 * @throws {@link HowdahError} CACHE_INVALID_VALUE when it has no form to be stored in, or the codec failed
 * @throws {@link HowdahError} CACHE_VALUE_TOO_LARGE above `maxValueBytes`
 */
export function encodeValue(value: unknown, options: EncodingOptions): EncodedValue {
  const encoded = options.codec === undefined ? encode(value) : encodeWith(options.codec, value)
  return typeof encoded === 'string' ? packText(encoded, options) : packBytes(encoded, options)
}

/** Decodes what {@link encodeValue} made, once it has been stored and read. */
export function decodeValue(stored: string, codec: CacheCodec | undefined): unknown {
  switch (stored.charCodeAt(0)) {
    case 0x73: // s
      return stored.slice(1)
    case 0x6a: // j
      return JSON.parse(stored.slice(1))
    case 0x6e: // n
      return Number(stored.slice(1))
    default:
      return decodeOther(stored, codec)
  }
}

/** What {@link decodeValue} reads faster, where a value is compressed; else what was given. */
export function inflated(stored: string): string {
  if (stored[0] === 'z') return inflate(stored).toString()
  if (stored[0] === 'Z') return `b${inflate(stored).toString('base64')}`
  return stored
}

/** Tells whether all may share one decoded value, because nobody can change it. */
export function isImmutable(stored: string): boolean {
  if (stored[0] === 'j') return stored[1] !== '{' && stored[1] !== '['
  return 'sniu'.includes(stored.charAt(0))
}

function inflate(stored: string): Buffer {
  return inflateRawSync(Buffer.from(stored.slice(1), 'base64'))
}

function encode(value: unknown): string | Tagged {
  switch (typeof value) {
    case 'string':
      return isPlainText(value) ? `s${value}` : `j${JSON.stringify(value)}`
    case 'number':
      return Object.is(value, -0) ? 'n-0' : `n${value}`
    case 'bigint':
      return `i${value}`
    case 'undefined':
      return 'u'
    case 'object':
      return encodeObject(value)
    default:
      return `j${encodeJson(value, refuse)}`
  }
}

interface Tagged {
  readonly letter: 'b' | 'C'
  readonly bytes: Uint8Array
}

function encodeObject(value: object | null): string | Tagged {
  if (value instanceof Date) return `d${value.getTime()}`
  if (value instanceof Uint8Array) return { letter: 'b', bytes: value }
  if (
    ArrayBuffer.isView(value) ||
    value instanceof ArrayBuffer ||
    value instanceof Map ||
    value instanceof Set
  ) {
    // JSON would say {} and lose everything.
    throw refuse(undefined)
  }
  return `j${encodeJson(value, refuse)}`
}

function encodeWith(codec: CacheCodec, value: unknown): string | Tagged {
  let encoded: unknown
  try {
    encoded = codec.encode(value)
  } catch (cause) {
    throw cacheError('CACHE_INVALID_VALUE', 'The codec could not encode the value.', cause)
  }
  if (encoded instanceof Uint8Array) return { letter: 'C', bytes: encoded }
  if (typeof encoded !== 'string') {
    throw cacheError('CACHE_INVALID_VALUE', 'A codec must encode to a string or bytes.')
  }
  return isPlainText(encoded) ? `c${encoded}` : `k${JSON.stringify(encoded)}`
}

function packText(text: string, options: EncodingOptions): EncodedValue {
  const { maxValueBytes, compressAbove } = options
  // A UTF-16 unit is at most three bytes in UTF-8, so most values need no count.
  if (text.length * 3 <= maxValueBytes && text.length * 3 <= compressAbove) return { text }
  const bytes = Buffer.byteLength(text) - 1
  assertFits(bytes, maxValueBytes)
  if (bytes <= compressAbove) return { text }
  const deflated = deflateRawSync(text, COMPRESSION)
  return deflated.length < bytes ? { text: 'z', bin: deflated.toString('base64') } : { text }
}

function packBytes({ letter, bytes }: Tagged, options: EncodingOptions): EncodedValue {
  assertFits(bytes.length, options.maxValueBytes)
  const plain = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (letter === 'b' && plain.length > options.compressAbove) {
    const deflated = deflateRawSync(plain, COMPRESSION)
    if (deflated.length < plain.length) return { text: 'Z', bin: deflated.toString('base64') }
  }
  return { text: letter, bin: plain.toString('base64') }
}

function decodeOther(stored: string, codec: CacheCodec | undefined): unknown {
  const rest = stored.slice(1)
  switch (stored[0]) {
    case 'i':
      return BigInt(rest)
    case 'd':
      return new Date(Number(rest))
    case 'u':
      return undefined
    case 'b':
      return Buffer.from(rest, 'base64')
    case 'z':
      return decodeValue(inflate(stored).toString(), codec)
    case 'Z':
      return inflate(stored)
    case 'c':
      return decodeWith(codec, rest)
    case 'k':
      return decodeWith(codec, JSON.parse(rest) as string)
    case 'C':
      return decodeWith(codec, Buffer.from(rest, 'base64'))
    default:
      throw cacheError(
        'CACHE_UNREADABLE_VALUE',
        `A stored value begins with '${stored.slice(0, 1)}', which this version of @howdah/cache does not know. Upgrade it, or clear the namespace.`,
      )
  }
}

function decodeWith(codec: CacheCodec | undefined, encoded: string | Uint8Array): unknown {
  if (codec !== undefined) return codec.decode(encoded)
  throw cacheError(
    'CACHE_UNREADABLE_VALUE',
    'This value was written with a codec. Give this cache the same codec, or clear the namespace.',
  )
}

function assertFits(bytes: number, maxValueBytes: number): void {
  if (bytes <= maxValueBytes) return
  throw cacheError(
    'CACHE_VALUE_TOO_LARGE',
    `The value is ${bytes} bytes and at most ${maxValueBytes} are stored. Raise maxValueBytes, or cache less.`,
  )
}

/** PostgreSQL keeps no NUL in text, UTF-8 no lone surrogate, and a list of values no separator. */
function isPlainText(text: string): boolean {
  if (text.includes('\0') || text.includes(SEPARATOR)) return false
  return (text as string & { isWellFormed(): boolean }).isWellFormed()
}

function refuse(cause: unknown) {
  return cacheError(
    'CACHE_INVALID_VALUE',
    `The value cannot be stored: it is or holds a function, a symbol, a nested bigint, a cycle, a Map, a Set or a buffer that is no Uint8Array. ${JSON_FITS}`,
    cause,
  )
}
