/**
 * Values as bytes, in the way Socket.IO's own parser treats them on their way to a client: what has a JSON form is JSON, and anything binary
 * arrives as a Buffer. So a client sees the same, whichever server it is connected to.
 *
 * - `0`, JSON
 * - `1`, length of the JSON in 4 bytes, JSON of `[token, sizes, value]`, then the binary parts one after another. Where a binary part stood,
 *   the value has a string of the token and the part's number. Nobody else knows the token, so no text of an application is taken for one.
 */
import { randomBytes } from 'node:crypto'

const TEXT = 0
const BINARY = 1
const TOKEN = randomBytes(12).toString('base64url')

/** @throws TypeError when a value has no JSON form (a cycle, a bigint) */
export function encodeValue(value: unknown): Buffer {
  if (!mayHoldBinary(value)) return Buffer.from(`\0${JSON.stringify(value)}`)
  const parts: Buffer[] = []
  // The replacer is handed what toJSON() answered, and a Buffer has one; the holder still has the Buffer itself.
  const replace = function (this: Record<string, unknown>, key: string, after: unknown): unknown {
    const part = binary(this[key])
    return part === undefined ? after : `${TOKEN}${parts.push(part) - 1}`
  }
  const json = JSON.stringify(value, replace)
  if (parts.length === 0) return Buffer.from(`\0${json}`)
  const sizes = parts.map((part) => part.length)
  const head = Buffer.from(`[${JSON.stringify(TOKEN)},${JSON.stringify(sizes)},${json}]`)
  const prefix = Buffer.alloc(5)
  prefix.writeUInt8(BINARY)
  prefix.writeUInt32BE(head.length, 1)
  return Buffer.concat([prefix, head, ...parts])
}

/** @throws Error when the bytes are none that {@link encodeValue} makes */
export function decodeValue(bytes: Buffer): unknown {
  if (bytes[0] === TEXT) return JSON.parse(bytes.toString('utf8', 1))
  if (bytes[0] !== BINARY) throw new Error('the value has an unknown form')
  const end = 5 + bytes.readUInt32BE(1)
  const json = bytes.toString('utf8', 5, end)
  const [token, sizes] = JSON.parse(json) as [string, number[]]
  let at = end
  const parts = sizes.map((size) => {
    const part = bytes.subarray(at, at + size)
    at += size
    return part
  })
  const revive = (_key: string, found: unknown): unknown => {
    if (typeof found !== 'string' || found === token || !found.startsWith(token)) return found
    // A copy, lest a small part keep a large message in memory.
    return Buffer.from(parts[Number(found.slice(token.length))] ?? [])
  }
  return (JSON.parse(json, revive) as unknown[])[2]
}

function binary(value: unknown): Buffer | undefined {
  if (ArrayBuffer.isView(value)) {
    return Buffer.from(value.buffer as ArrayBuffer, value.byteOffset, value.byteLength)
  }
  return value instanceof ArrayBuffer ? Buffer.from(value) : undefined
}

/** Whether the slower way of encoding is needed. */
function mayHoldBinary(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return true
  if (value instanceof Date) return false
  if (typeof (value as { toJSON?: unknown }).toJSON === 'function') return true
  if (Array.isArray(value)) return value.some(mayHoldBinary)
  for (const key in value) {
    if (Object.hasOwn(value, key) && mayHoldBinary((value as Record<string, unknown>)[key])) {
      return true
    }
  }
  return false
}
