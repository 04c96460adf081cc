import { defineStatement, type Statement } from '@howdah/core'

/** Answers a row when a table has a trigger of this name that is enabled. */
export const findTrigger: (schema: string, relation: string, name: string) => Statement =
  defineStatement(
    'search.find-trigger',
    () => /* sql */ `
      select from pg_catalog.pg_trigger t
      where t.tgrelid = $1::text::oid and t.tgname::text = $2::text and t.tgenabled <> 'D'`,
    (relation, name) => [relation, name],
  )
