import { ident, type Statement, statementName } from '@howdah/core'
import { tableOf } from '../names.js'
import { recordedErrors, type StatusRow } from '../sql/read-status.js'
import type { GenerationPart } from './engine.js'

/** Reads how a generation stands that is an index of an extension: it has what the table has. */
export function readTableStatus({ schema, id, definition }: GenerationPart): Statement<StatusRow> {
  const text = /* sql */ `
    select (select count(*)::text from ${tableOf(definition)} r where r.${ident(definition.key)} is not null) as documents,
      '0' as hot, 0 as segments, '[]'::json as partial, ${recordedErrors(schema)} as errors`
  return { name: statementName('search.table-status', text), text, values: [id] }
}
