import { withBuffers } from '../clients/recognise.js'
import type { PGliteLike } from '../queryable.js'
import type { Statement } from '../statement.js'

let cursors = 0

/**
 * Reads a statement through a cursor `with hold`: the server computes the rows once and spills them to its files, we hold one
 * batch. It lives outside a transaction because PGlite has one connection, which a transaction would close to the loop's
 * own queries. The cursor is gone when the iteration ends.
 */
export async function* readHeldCursor(
  pglite: PGliteLike,
  statement: Statement,
  batchSize: number,
): AsyncGenerator<unknown[], void, void> {
  const name = `howdah_cursor_${++cursors}`
  await pglite.query(`declare ${name} no scroll cursor with hold for ${statement.text}`, [
    ...statement.values,
  ])
  try {
    for (;;) {
      const { rows } = await pglite.query(`fetch ${batchSize} from ${name}`)
      if (rows.length > 0) yield withBuffers(rows)
      if (rows.length < batchSize) return
    }
  } finally {
    await pglite.query(`close ${name}`)
  }
}
