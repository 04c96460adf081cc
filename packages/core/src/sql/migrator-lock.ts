import { createHash } from 'node:crypto'
import { defineStatement, type Statement } from '../statement.js'

/** Waits for the right to migrate a schema, and holds it until the transaction ends, as poolers in transaction mode need. */
export const lockSchema: (schema: string) => Statement = defineStatement<[]>(
  'migrator.lock',
  (s) => /* sql */ `select pg_advisory_xact_lock(${lockKey(s)})::text as locked`,
  () => [],
)

/** Advisory locks share one space of 64-bit numbers with the application, so the key is a hash that nobody else hits. */
function lockKey(schema: string): string {
  const key = createHash('sha256').update(`howdah.migrate:${schema}`).digest().readBigInt64BE()
  // A negative number without its quotes would be an operator and a number.
  return `'${key}'::bigint`
}
