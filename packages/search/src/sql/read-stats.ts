import { type Statement, statementName } from '@howdah/core'
import type { IndexNames } from '../names.js'
import { clearedOf } from '../native/tables.js'

/** Figures of one index. */
export interface StatsRow {
  readonly documents: string
  readonly hot: string
  readonly segments: number
  readonly postings: string
  readonly words: string
  readonly documentbytes: string
  readonly postingbytes: string
  readonly wordbytes: string
  readonly partial: { key: string; problem: string }[]
  readonly errors: { at: number; code: string; message: string }[]
}

/** Figures of what an index without tables of ours does not have. */
export const NO_FIGURES: string = `'0' as hot, 0 as segments, '0' as postings, '0' as words,
      '0' as documentbytes, '0' as postingbytes, '0' as wordbytes`

/** Reads how an index stands: what the view of all says, its documents indexed in part, and what its triggers could not do. */
export function readStats(
  s: string,
  id: number,
  generation: number,
  names: IndexNames,
): Statement<StatsRow> {
  const { hot, document, gone } = names
  const partial = [hot, document].map(
    (table) => `select d.key, d.problem from ${table} d
      where d.problem is not null and d.number > ${clearedOf({ names })}
        and not exists (select from ${gone} r where r.number = d.number)`,
  )
  const text = /* sql */ `
    select f.documents::text as documents, f.hot::text as hot, f.segments, f.postings::text as postings, f.words::text as words,
      f.document_bytes::text as documentbytes, f.posting_bytes::text as postingbytes, f.word_bytes::text as wordbytes,
      (select coalesce(json_agg(json_build_object('key', key, 'problem', problem) order by key), '[]')
       from (select * from (${partial.join(' union all ')}) p order by key limit 100) p) as partial,
      ${recordedErrors(s)} as errors
    from ${s}.search_figures($1::int, $2::int) f`
  return { name: statementName('search.stats', text), text, values: [id, generation] }
}

/** What the triggers of the index whose number is the first parameter could not do, as JSON. */
export function recordedErrors(s: string): string {
  return `(select coalesce(json_agg(json_build_object(
         'at', extract(epoch from occurred_at) * 1000, 'code', code, 'message', message)
         order by occurred_at), '[]')
       from ${s}.search_error where index_id = $1::int)`
}
