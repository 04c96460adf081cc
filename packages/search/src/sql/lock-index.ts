import { defineStatement, literal, type Statement } from '@howdah/core'

/** Lets one transaction at a time change an index of this schema. */
export const lockIndex: (schema: string, name: string) => Statement = defineStatement(
  'search.lock-index',
  (s) => /* sql */ `
    select pg_advisory_xact_lock(
      hashtextextended('howdah search ' || ${literal(s)} || ' ' || $1::text, 0))`,
  (name) => [name],
)
