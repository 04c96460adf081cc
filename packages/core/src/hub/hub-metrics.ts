import type { MetricFamily } from '../metrics/metric-source.js'
import type { HubState, HubStats } from './hub.js'

const STATES: readonly HubState[] = ['idle', 'connecting', 'listening', 'polling', 'closed']

/** What a hub tells of itself, as metrics of this process. */
export function hubMetrics(stats: HubStats, schema: string): MetricFamily[] {
  const counter = (name: string, help: string, value: number): MetricFamily => ({
    name: `howdah_hub_${name}`,
    type: 'counter',
    help,
    samples: [{ labels: { schema }, value }],
  })
  return [
    {
      name: 'howdah_hub_state',
      type: 'gauge',
      help: 'Where the hub of this process stands: 1 for its state, 0 for the others.',
      samples: STATES.map((state) => ({
        labels: { schema, state },
        value: Number(stats.state === state),
      })),
    },
    {
      name: 'howdah_hub_handlers',
      type: 'gauge',
      help: 'Handlers that are registered.',
      samples: [{ labels: { schema }, value: stats.handlers }],
    },
    counter('reconnects', 'How often the transport was replaced by another.', stats.reconnects),
    counter('gaps', 'How often messages may have been lost.', stats.gaps),
    counter('received_messages', 'Messages received.', stats.received),
    counter('sends', 'Statements that sent messages; each carries one or many.', stats.sends),
    {
      name: 'howdah_hub_last_alive_timestamp_seconds',
      type: 'gauge',
      unit: 'seconds',
      help: 'When the server last answered the transport, since the epoch.',
      samples:
        stats.lastAliveAt === undefined
          ? []
          : [{ labels: { schema }, value: stats.lastAliveAt / 1000 }],
    },
  ]
}
