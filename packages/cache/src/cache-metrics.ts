import type { MetricFamily, MetricReader } from '@howdah/core'
import type { CacheStats } from './events.js'

/** What this process has done, by the name of its counter. */
const COUNTERS = [
  ['hits', 'hits', 'Reads that found a live value, those from memory included.'],
  ['misses', 'misses', 'Reads that found none.'],
  ['nearHits', 'near_hits', 'Hits that were answered from the memory of this process.'],
  ['staleHits', 'stale_hits', 'Old values within their grace that were answered.'],
  ['loads', 'loads', 'Loaders that ran.'],
  ['loadErrors', 'load_errors', 'Loaders that failed.'],
  ['writes', 'writes', 'Values written by other calls than getOrSet.'],
  [
    'evictions',
    'evictions',
    'Entries this process removed to keep the namespace within its limits.',
  ],
] as const

/** What a cache tells as metrics. */
export function cacheReader(namespace: string, stats: () => Promise<CacheStats>): MetricReader {
  return { package: 'cache', name: namespace, read: async () => families(namespace, await stats()) }
}

function families(namespace: string, stats: CacheStats): MetricFamily[] {
  const { near } = stats
  const gauge = (
    name: string,
    help: string,
    value: number | undefined,
    unit?: 'bytes',
  ): MetricFamily => ({
    name: `howdah_cache_${name}`,
    type: 'gauge',
    unit,
    help,
    samples: value === undefined ? [] : [{ labels: { namespace }, value }],
  })
  return [
    ...COUNTERS.map(
      ([counter, name, help]): MetricFamily => ({
        name: `howdah_cache_${name}`,
        type: 'counter',
        help,
        samples: [{ labels: { namespace }, value: stats[counter] }],
      }),
    ),
    gauge(
      'entries',
      'Entries of the namespace, from all processes; an estimate where there are many.',
      stats.entries,
    ),
    gauge(
      'size_bytes',
      'What entries take in the table, by estimate of their rows.',
      stats.bytes,
      'bytes',
    ),
    gauge('near_entries', 'Entries in the memory of this process.', near?.entries),
    gauge(
      'near_size_bytes',
      'Bytes of entries in the memory of this process.',
      near?.bytes,
      'bytes',
    ),
  ]
}
