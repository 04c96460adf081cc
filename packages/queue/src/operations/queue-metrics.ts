import type { MetricFamily, MetricReader } from '@howdah/core'
import type { QueueStats } from './stats.js'

const STATES = ['waiting', 'delayed', 'blocked', 'running', 'dead'] as const

/** Totals by the name of their counter. All processes tell the same, for the database counts. */
const TOTALS: readonly (readonly [
  total: keyof QueueStats['totals'],
  name: string,
  help: string,
])[] = [
  ['added', 'added_jobs', 'Jobs added since the queue was made.'],
  ['completed', 'completed_jobs', 'Jobs completed since the queue was made.'],
  ['failed', 'failed_attempts', 'Attempts that failed since the queue was made.'],
  ['crashed', 'crashed_attempts', 'Attempts whose worker died since the queue was made.'],
  ['died', 'died_jobs', 'Jobs that became dead letters since the queue was made.'],
  ['cancelled', 'cancelled_jobs', 'Jobs cancelled or discarded since the queue was made.'],
  ['expired', 'expired_jobs', 'Jobs that expired before they ran since the queue was made.'],
]

/** What a queue tells as metrics. */
export function queueReader(queue: string, stats: () => Promise<QueueStats>): MetricReader {
  return { package: 'queue', name: queue, read: async () => families(queue, await stats()) }
}

function families(queue: string, stats: QueueStats): MetricFamily[] {
  const labels = { queue }
  const { oldestAgeMs } = stats
  return [
    {
      name: 'howdah_queue_jobs',
      type: 'gauge',
      help: 'Jobs that there are, by state; dead ones are dead letters.',
      samples: STATES.map((state) => ({ labels: { queue, state }, value: stats[state] })),
    },
    {
      name: 'howdah_queue_paused',
      type: 'gauge',
      help: 'Whether claiming is stopped.',
      samples: [{ labels, value: Number(stats.paused) }],
    },
    {
      name: 'howdah_queue_oldest_job_age_seconds',
      type: 'gauge',
      unit: 'seconds',
      help: 'How long ago the oldest job was added that is ready to run; 0 where none is.',
      samples: [{ labels, value: (oldestAgeMs ?? 0) / 1000 }],
    },
    ...TOTALS.map(
      ([total, name, help]): MetricFamily => ({
        name: `howdah_queue_${name}`,
        type: 'counter',
        help,
        // An engine that keeps no count has none to tell.
        samples: Number.isNaN(stats.totals[total]) ? [] : [{ labels, value: stats.totals[total] }],
      }),
    ),
  ]
}
