import { ident, type Statement, statementName } from '@howdah/core'
import type { GenerationPart } from '../engine/engine.js'
import { CUT } from '../engine/field-texts.js'
import { tableOf } from '../names.js'
import { NO_FIGURES, recordedErrors, type StatsRow } from '../sql/read-stats.js'
import { columnNames } from './column-names.js'

/** Reads how a generation stands: from the table, for there is nothing else. */
export function readColumnStats(part: GenerationPart): Statement<StatsRow> {
  const { schema, id, generation, definition } = part
  const { document, length } = columnNames(schema, definition.name, generation)
  const table = tableOf(definition)
  const text = /* sql */ `
    select (select count(*)::text from ${table} r where r.${ident(length)} is not null) as documents,
      ${NO_FIGURES},
      (select coalesce(json_agg(json_build_object(
         'key', p.key, 'problem', 'string is too long for tsvector (1048575 bytes)') order by p.key), '[]')
       from (
         select r.${ident(definition.key)}::text as key from ${table} r
         where r.${ident(document)} @@ ${schema}.search_quote(${CUT})::tsquery order by 1 limit 100
       ) p) as partial,
      ${recordedErrors(schema)} as errors`
  return { name: statementName('search.column-stats', text), text, values: [id] }
}
