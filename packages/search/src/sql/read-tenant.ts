import { type Statement, statementName } from '@howdah/core'
import type { IndexNames } from '../names.js'

/** A tenant as a search is to know it. */
export interface TenantRow {
  /** The word that its documents have. */
  readonly word: string
  readonly documents: string
  /** Whether policies bind the caller. */
  readonly secured: boolean
  /** Of so many live rows that were looked at the caller sees so many. */
  readonly looked: number
  readonly seen: number
}

/** Reads what there is to know of a tenant; `looking` looks whether the caller sees its rows, where policies bind it. */
export function readTenant(
  { functions }: IndexNames,
  value: string,
  looking: boolean,
): Statement<TenantRow> {
  const text = /* sql */ `
    select t.whose as word, t.documents::text as documents, t.secured, t.looked, t.seen
    from ${functions.tenant}($1::text, $2::boolean) t`
  return { name: statementName('search.tenant', text), text, values: [value, looking] }
}
