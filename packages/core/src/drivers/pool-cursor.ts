import type { PoolClientLike } from '../queryable.js'
import type { Statement } from '../statement.js'

/**
 * Reads a statement through a protocol-level cursor: the server keeps the portal, we hold one batch. Ending the iteration early
 * closes the portal, so the connection goes back clean.
 */
export async function* readCursor(
  client: PoolClientLike,
  statement: Statement,
  batchSize: number,
): AsyncGenerator<unknown[], void, void> {
  // Loaded on first use: most processes never stream.
  const { default: Cursor } = await import('pg-cursor')
  const cursor = new Cursor(statement.text, [...statement.values])
  const submit = client as unknown as { query(cursor: unknown): unknown }
  submit.query(cursor)
  try {
    for (;;) {
      const rows = await cursor.read(batchSize)
      if (rows.length === 0) return
      yield rows
      if (rows.length < batchSize) return
    }
  } finally {
    await cursor.close()
  }
}
