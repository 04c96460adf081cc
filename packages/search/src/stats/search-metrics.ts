import type { MetricFamily, MetricReader } from '@howdah/core'
import type { SearchStats } from './stats.js'

/** What an index tells as metrics. */
export function searchReader(index: string, stats: () => Promise<SearchStats>): MetricReader {
  return { package: 'search', name: index, read: async () => families(index, await stats()) }
}

function families(index: string, stats: SearchStats): MetricFamily[] {
  const labels = { index }
  const gauge = (name: string, help: string, value: number): MetricFamily => ({
    name: `howdah_search_${name}`,
    type: 'gauge',
    help,
    samples: [{ labels, value }],
  })
  const { bytes, log } = stats
  return [
    gauge('documents', 'Rows that are indexed.', stats.documents),
    gauge(
      'hot_documents',
      'Rows that are in no segment yet, and versions that are no more; searches look at each.',
      stats.hot,
    ),
    gauge('segments', 'Segments that searches use.', stats.segments),
    gauge('words', 'Different words of the vocabulary.', stats.words),
    gauge(
      'lost_writes',
      'Writes the index could not follow, so that it needs a rebuild; at most 100 are kept.',
      stats.errors.length,
    ),
    {
      name: 'howdah_search_size_bytes',
      type: 'gauge',
      unit: 'bytes',
      help: 'What the parts of the index take in the database; that of the words is an estimate.',
      samples: (['documents', 'postings', 'words'] as const).map((part) => ({
        labels: { index, part },
        value: bytes[part],
      })),
    },
    {
      name: 'howdah_search_log_dropped_searches',
      type: 'counter',
      help: 'Searches of this process that are missing in the query log, since the database was slow or failed.',
      samples: log === undefined ? [] : [{ labels, value: log.dropped }],
    },
  ]
}
