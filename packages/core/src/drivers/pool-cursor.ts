import type { PoolClientLike } from '../queryable.js'
import type { Statement } from '../statement.js'

/**
 * Reads a statement through a protocol-level cursor: the server keeps the portal, we hold one batch. Ending the iteration early
 * closes the portal, so the connection goes back clean.
 *
 * The portal needs no `begin`: nothing is synced between the batches, so to the server, and to a pooler in transaction mode, all of
 * it is one statement.
 *
 * @param lost - resolves when the connection is lost, for the answer to a close would then never come
 */
export async function* readCursor(
  client: PoolClientLike,
  statement: Statement,
  batchSize: number,
  lost: Promise<void>,
): AsyncGenerator<unknown[], void, void> {
  // Loaded on first use: most processes never stream.
  const { default: Cursor } = await import('pg-cursor')
  const cursor = new Cursor(statement.text, [...statement.values])
  const submit = client as unknown as { query(cursor: unknown): unknown }
  submit.query(cursor)
  try {
    for (;;) {
      const rows = await cursor.read(batchSize)
      if (rows.length > 0) yield rows
      if (rows.length < batchSize) return
    }
  } finally {
    await Promise.race([cursor.close(), lost])
  }
}
