import { type Statement, statementName } from '@howdah/core'
import type { IndexNames } from '../names.js'

/** Fills in some of the rows that were there before the index; answers whether those were the last. */
export function fillSome(names: IndexNames): Statement<{ done: boolean }> {
  return call('search.fill', `select ${names.functions.fill}() as done`)
}

/** Does one step of maintenance; answers what it was, null when there is nothing to do. */
export function maintainSome(
  names: IndexNames,
  thoroughly: boolean,
): Statement<{ did: string | null }> {
  const text = `select ${names.functions.maintain}($1::boolean) as did`
  return { ...call<{ did: string | null }>('search.maintain', text), values: [thoroughly] }
}

/** Makes the space of postings that were removed free for others. Cannot be part of a transaction. */
export function vacuumPostings(names: IndexNames): Statement {
  return call('search.vacuum', `vacuum (skip_locked) ${names.posting}`)
}

function call<Row>(label: string, text: string): Statement<Row> {
  return { name: statementName(label, text), text, values: [] }
}
