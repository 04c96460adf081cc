import { type Statement, statementName } from '@howdah/core'
import type { IndexNames } from '../names.js'
import { clearedOf } from '../native/tables.js'

/** Figures of one index. */
export interface StatusRow {
  readonly documents: string
  readonly hot: string
  readonly segments: number
  readonly partial: { key: string; problem: string }[]
  readonly errors: { at: number; code: string; message: string }[]
}

/** Reads how an index stands: its documents, those indexed in part, and what its triggers could not do. */
export function readStatus(s: string, id: number, names: IndexNames): Statement<StatusRow> {
  const { hot, document, gone, segment, tally } = names
  const partial = [hot, document].map(
    (table) => `select d.key, d.problem from ${table} d
      where d.problem is not null and d.number > ${clearedOf({ names })}
        and not exists (select from ${gone} r where r.number = d.number)`,
  )
  const text = /* sql */ `
    select (select coalesce(sum(documents), 0)::text from ${tally} where at > ${clearedOf({ names })}) as documents,
      (select count(*)::text from ${hot}) as hot,
      (select count(*)::int from ${segment} where state = 'ready') as segments,
      (select coalesce(json_agg(json_build_object('key', key, 'problem', problem) order by key), '[]')
       from (select * from (${partial.join(' union all ')}) p order by key limit 100) p) as partial,
      ${recordedErrors(s)} as errors`
  return { name: statementName('search.status', text), text, values: [id] }
}

/** What the triggers of the index whose number is the first parameter could not do, as JSON. */
export function recordedErrors(s: string): string {
  return `(select coalesce(json_agg(json_build_object(
         'at', extract(epoch from occurred_at) * 1000, 'code', code, 'message', message)
         order by occurred_at), '[]')
       from ${s}.search_error where index_id = $1::int)`
}
