import { type Statement, statementName } from '@howdah/core'
import type { IndexNames } from '../names.js'

/** Figures of one index. */
export interface StatusRow {
  readonly documents: string
  readonly partial: { key: string; problem: string }[]
  readonly errors: { at: number; code: string; message: string }[]
}

/** Reads how an index stands: its documents, those indexed in part, and what its triggers could not do. */
export function readStatus(s: string, id: number, names: IndexNames): Statement<StatusRow> {
  const text = /* sql */ `
    select (select count(*)::text from ${names.documents}) as documents,
      (select coalesce(json_agg(json_build_object('key', key, 'problem', problem) order by key), '[]')
       from (select key, problem from ${names.documents} where problem is not null
             order by key limit 100) p) as partial,
      (select coalesce(json_agg(json_build_object(
         'at', extract(epoch from occurred_at) * 1000, 'code', code, 'message', message)
         order by occurred_at), '[]')
       from ${s}.search_error where index_id = $1::int) as errors`
  return { name: statementName('search.status', text), text, values: [id] }
}
