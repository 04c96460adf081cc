import type { Database, TransactionHandle } from '@howdah/core'
import { describe } from './attach.js'
import { engineOf } from './engine/engine-of.js'
import { VectorColumns } from './hybrid/vector-column.js'
import { type IndexNames, indexNames, OWN_COLUMN } from './names.js'
import { attributesOf } from './native/attributes.js'
import { type Definition, fieldsOf } from './options.js'
import { QueryPlanner } from './query/query-planner.js'
import type { GenerationRow } from './sql/find-index.js'
import { SearchStatements } from './sql/search-statements.js'
import type { Searched } from './sql/searched.js'

/** What a process knows of an attached index, until it finds it changed. */
export interface Attached {
  readonly id: number
  readonly names: IndexNames
  readonly vocabulary: number
  readonly maintains: boolean
  readonly planner: QueryPlanner
  readonly searched: Searched
  readonly statements: SearchStatements
  readonly vectors: VectorColumns
}

/** Reads what there is to know of a generation to search it. */
export async function readAttached(
  db: Database,
  definition: Definition,
  { id, vocabulary, generation }: GenerationRow,
  client: TransactionHandle | undefined,
): Promise<Attached> {
  const { columns: types, secured, language } = await describe(db, definition, client)
  const names = indexNames(db.schema, id, generation)
  const { maintains, ownColumns, capabilities } = engineOf(definition.engine)
  const own = ownColumns({ schema: db.schema, generation, definition })
  const unseen = [...own, ...Object.keys(types).filter((column) => OWN_COLUMN.test(column))]
  const attributes = capabilities.has('masks') ? attributesOf(definition, types) : undefined
  const searched: Searched = { definition, names, types, attributes, unseen, secured }
  const fields = fieldsOf(definition)
  return {
    id,
    names,
    vocabulary,
    maintains,
    planner: new QueryPlanner(db, { id, vocabulary, language, fields }),
    searched,
    statements: new SearchStatements(searched),
    vectors: new VectorColumns(db, definition.table),
  }
}
