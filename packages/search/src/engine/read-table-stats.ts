import { ident, type Statement, statementName } from '@howdah/core'
import { tableOf } from '../names.js'
import { NO_FIGURES, recordedErrors, type StatsRow } from '../sql/read-stats.js'
import type { GenerationPart } from './engine.js'

/** Reads how a generation stands that is an index of an extension: it has what the table has. */
export function readTableStats({ schema, id, definition }: GenerationPart): Statement<StatsRow> {
  const text = /* sql */ `
    select (select count(*)::text from ${tableOf(definition)} r where r.${ident(definition.key)} is not null) as documents,
      ${NO_FIGURES}, '[]'::json as partial, ${recordedErrors(schema)} as errors`
  return { name: statementName('search.table-stats', text), text, values: [id] }
}
