import { createHash } from 'node:crypto'

/**
 * The first of the two numbers of the locks that name hubs; the second is the hub's own. Advisory locks are shared with the application
 * and with other schemas, so it is a digest that nobody else hits.
 */
export function identityClass(schema: string): number {
  return digest(`howdah.hub.identity:${schema}`).readInt32BE()
}

/** The number of the lock behind a name, as text, for it has 64 bits. */
export function holdKey(schema: string, name: string): string {
  return digest(JSON.stringify(['howdah.hub.hold', schema, name]))
    .readBigInt64BE()
    .toString()
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
