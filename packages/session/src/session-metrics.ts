import type { MetricFamily, MetricReader } from '@howdah/core'
import type { SessionStats } from './session.js'

/** What sessions tell as metrics. */
export function sessionReader(name: string, stats: () => Promise<SessionStats>): MetricReader {
  return { package: 'session', name, read: async () => families(name, await stats()) }
}

function families(name: string, { live, expired, ofUsers }: SessionStats): MetricFamily[] {
  const gauge = (suffix: string, help: string, value: number): MetricFamily => ({
    name: `howdah_${suffix}`,
    type: 'gauge',
    help,
    samples: [{ labels: { name }, value }],
  })
  return [
    gauge('sessions', 'Sessions that live; an estimate where there are many.', live),
    gauge('sessions_of_users', 'Sessions that live and belong to a user.', ofUsers),
    gauge('sessions_expired', 'Expired sessions that are not pruned yet.', expired),
  ]
}
