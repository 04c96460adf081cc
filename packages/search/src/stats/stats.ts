import type { FillProgress } from '../attach.js'
import type { QueryLogStats } from '../log/query-log.js'
import type { ProgressRow } from '../sql/read-progress.js'
import type { StatsRow } from '../sql/read-stats.js'
import type { SearchTimesStats } from './search-times.js'

/** How an index stands, in the snapshot of the moment, and what this process has done with it. */
export interface SearchStats {
  /** Rows that are indexed. */
  readonly documents: number
  /** Those among them that are not in a segment yet, and versions that are no more; searches look at each. */
  readonly hot: number
  readonly segments: number
  /** Words in segments, each once a segment; an estimate where there are many. */
  readonly postings: number
  /** Different words of the vocabulary. */
  readonly words: number
  /** What its parts take in the database. That of the words is a share of tables that all indexes have together, an estimate. */
  readonly bytes: {
    readonly documents: number
    readonly postings: number
    readonly words: number
  }
  /** How far the rows that were there before the index have come; undefined once all are in. */
  readonly filling: FillProgress | undefined
  /** Rows of which only the beginning is indexed, and why: the first 100. */
  readonly partial: readonly { readonly key: string; readonly problem: string }[]
  /** Writes the index could not follow, so that it needs `rebuild()`: the first 100. */
  readonly errors: readonly { readonly at: Date; readonly code: string; readonly message: string }[]
  /** Searches of this process. */
  readonly searches: SearchTimesStats
  /** What the query log of this process has done; undefined where none is kept. */
  readonly log: QueryLogStats | undefined
}

/** Puts together what the database and this process know. */
export function statsOf(
  row: StatsRow,
  progress: ProgressRow | undefined,
  searches: SearchTimesStats,
  log: QueryLogStats | undefined,
): SearchStats {
  const { segments, partial, errors } = row
  return {
    documents: Number(row.documents),
    hot: Number(row.hot),
    segments: segments ?? 0,
    postings: Number(row.postings),
    words: Number(row.words),
    bytes: {
      documents: Number(row.documentbytes),
      postings: Number(row.postingbytes),
      words: Number(row.wordbytes),
    },
    filling: progress && { filled: Number(progress.filled), rows: Number(progress.rows) },
    partial,
    errors: errors.map((error) => ({ ...error, at: new Date(error.at) })),
    searches,
    log,
  }
}
