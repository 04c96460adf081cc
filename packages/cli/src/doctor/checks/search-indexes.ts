import { type Check, type Finding, fact } from '../check.js'
import { mayRead } from '../may-read.js'

interface Row {
  readonly index: string
  readonly table: string | null
  readonly hot: number | null
  readonly filling: boolean
  readonly errors: number
}

/** Rows that wait to be moved into segments, of an index that nobody seems to have open; a search looks at each that it finds. */
const MANY_HOT = 50_000

export const searchIndexes: Check = {
  id: 'search-indexes',
  title: 'Search indexes',
  async run({ query, schema, db }) {
    if (!(await mayRead(query, schema, 'search_stats'))) return []
    const rows = await query<Row>(
      `select s.index, s.indexed_table as table, s.hot::int as hot, s.filling, s.errors from ${db.schema}.search_stats s order by 1`,
    )
    const findings: Finding[] = []
    for (const { index, table, hot, filling, errors } of rows) {
      if (table === null) {
        findings.push({
          level: 'error',
          what: `The table of the search index '${index}' is gone, or was made anew.`,
          costs: 'Searches find what was there before, or fail, and nothing new is indexed.',
          mend: 'Call attach() on the index again, which makes it anew; or detach() to remove it.',
        })
      } else if (errors > 0) {
        findings.push({
          level: 'error',
          what: `The search index '${index}' on ${table} could not follow ${errors} write(s).`,
          costs: 'What they wrote is missing in results, or stands there as it was before.',
          mend: 'Read errors of stats() for the reason, mend it, and call rebuild().',
        })
      }
      if (filling) findings.push(fact(`The search index '${index}' is being filled.`))
      if ((hot ?? 0) > MANY_HOT) {
        findings.push({
          level: 'warning',
          what: `${hot} rows of the search index '${index}' are in no segment.`,
          costs: 'Each is looked at one by one, so searches take longer and longer.',
          mend: 'Keep a process that searches it running, or call maintain() after a bulk load.',
        })
      }
    }
    return findings
  },
}
