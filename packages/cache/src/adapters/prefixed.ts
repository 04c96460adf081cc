import type { Cache } from '../cache.js'

/** Keys deleted by one statement. */
const BATCH = 500

/** Collects the live keys of a cache that start with a text, or all of them. */
export async function keysWithPrefix(cache: Cache, prefix: string): Promise<string[]> {
  const found: string[] = []
  for await (const key of cache.keys()) if (key.startsWith(prefix)) found.push(key)
  return found
}

/**
 * Deletes the entries whose keys start with a text, in batches, comparing characters and never patterns: `a_b:` leaves `axb:`
 * alone. Entries written meanwhile may stay.
 */
export async function deletePrefix(cache: Cache, prefix: string): Promise<void> {
  let batch: string[] = []
  for await (const key of cache.keys()) {
    if (!key.startsWith(prefix)) continue
    batch.push(key)
    if (batch.length < BATCH) continue
    await cache.deleteMany(batch)
    batch = []
  }
  if (batch.length > 0) await cache.deleteMany(batch)
}
