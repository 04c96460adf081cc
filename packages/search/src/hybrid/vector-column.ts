import type { Database, TransactionHandle } from '@howdah/core'
import { searchError } from '../errors.js'
import type { Definition } from '../options.js'
import { findVector, type VectorRow } from '../sql/find-vector.js'
import type { ResolvedHybrid } from './hybrid-options.js'

/** A column with vectors. */
export interface VectorColumn {
  /** Its type and the schema of pgvector's operators, quoted. */
  readonly type: string
  readonly schema: string
  /** -1 where the column does not say. */
  readonly dimensions: number
}

/** Types whose text is a list of numbers. */
const TYPES = ['vector', 'halfvec']

/** The columns of a table that were searched with vectors, each looked up once. */
export class VectorColumns {
  readonly #db: Database
  readonly #table: Definition['table']
  readonly #known = new Map<string, VectorColumn>()

  constructor(db: Database, table: Definition['table']) {
    this.#db = db
    this.#table = table
  }

  /** @throws {@link HowdahError} SEARCH_NO_VECTOR, SEARCH_INVALID_QUERY */
  async of(hybrid: ResolvedHybrid, client: TransactionHandle | undefined): Promise<VectorColumn> {
    const { column } = hybrid
    let known = this.#known.get(column)
    if (known === undefined) {
      const asked = findVector(this.#db.schema, this.#table, column)
      const [row] = await this.#db.query(asked, client)
      known = vectorColumn(row as VectorRow, column)
      this.#known.set(column, known)
    }
    checkDimensions(known, hybrid)
    return known
  }
}

function vectorColumn(
  { version, type, name, schema, dimensions }: VectorRow,
  column: string,
): VectorColumn {
  if (version === null) {
    throw searchError(
      'SEARCH_NO_VECTOR',
      'The extension vector (pgvector) is not installed in this database. Run `create extension vector`, or search without hybrid.',
    )
  }
  if (name !== null && schema !== null && TYPES.includes(name)) {
    return { type: `${schema}.${name}`, schema, dimensions }
  }
  const found = type === null ? 'is not there' : `is of type ${type}`
  throw searchError(
    'SEARCH_NO_VECTOR',
    `The column '${column.slice(0, 63)}' ${found}. Name a column of the index's table that is of type vector or halfvec.`,
  )
}

function checkDimensions({ dimensions }: VectorColumn, hybrid: ResolvedHybrid): void {
  if (dimensions < 0 || dimensions === hybrid.vector.length) return
  throw searchError(
    'SEARCH_INVALID_QUERY',
    `hybrid.vector has ${hybrid.vector.length} numbers, and those of the column '${hybrid.column}' have ${dimensions}. Use the model that made them.`,
  )
}
