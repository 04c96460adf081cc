import type { Database, Queryable } from '@howdah/core'
import type { Definition } from '../options.js'
import type { TableRow } from '../sql/describe-table.js'
import { findVolatileFields } from '../sql/find-volatile-fields.js'
import { unsupported } from './engine.js'
import { fieldsInOrder, MAX_FIELDS } from './field-texts.js'

/** @throws {@link HowdahError} SEARCH_UNSUPPORTED when there are more fields than a function takes */
export function checkFieldCount({ engine, classes }: Definition): void {
  if (fieldsInOrder({ classes } as Definition).length > MAX_FIELDS) {
    throw unsupported(engine, `takes at most ${MAX_FIELDS} fields`)
  }
}

/** @throws {@link HowdahError} SEARCH_UNSUPPORTED when the text of a field is not the same for ever */
export async function probeFields(
  db: Database,
  table: TableRow,
  definition: Definition,
  client: Queryable,
): Promise<void> {
  const asked = findVolatileFields(db.schema, table.oid, fieldsInOrder(definition))
  const [volatile] = await db.query(asked, client)
  if (volatile === undefined) return
  throw unsupported(
    definition.engine,
    `cannot index the column '${volatile.name}' of type ${volatile.type}, whose text may change without the row being written; give it a column of type text instead, such as a copy that the application writes`,
  )
}
