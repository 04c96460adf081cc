import { defineStatement, type Statement } from '../statement.js'

/** Makes the schema. Run only where it is missing: `if not exists` demands the right to create even where it exists. */
export const createSchema: (schema: string) => Statement = defineStatement<[]>(
  'migrator.create_schema',
  (s) => /* sql */ `create schema ${s}`,
  () => [],
)
