import type { MetricFamily, MetricReader, MetricSample } from '@howdah/core'
import type { PubSubStats } from './stats.js'

/** What a PubSub tells as metrics; the hub, which others use as well, is a source of its own. */
export function pubSubReader(schema: string, stats: () => Promise<PubSubStats>): MetricReader {
  return { package: 'pubsub', name: schema, read: async () => families(await stats()) }
}

function families(stats: PubSubStats): MetricFamily[] {
  const gauge = (
    name: string,
    help: string,
    samples: readonly MetricSample[],
    unit?: MetricFamily['unit'],
  ): MetricFamily => ({ name: `howdah_${name}`, type: 'gauge', unit, help, samples })
  const ofStreams = (value: (one: PubSubStats['streams'][number]) => number) =>
    stats.streams.map((one) => ({ labels: { stream: one.name }, value: value(one) }))
  const ofGroups = (value: (one: PubSubStats['groups'][number]) => number) =>
    stats.groups.map((one) => ({
      labels: { stream: one.stream, group: one.name },
      value: value(one),
    }))
  return [
    gauge(
      'stream_messages',
      'Messages kept.',
      ofStreams(({ messages }) => messages),
    ),
    gauge(
      'stream_size_bytes',
      'Bytes of the payloads kept, as PostgreSQL stores them.',
      ofStreams(({ bytes }) => bytes),
      'bytes',
    ),
    {
      name: 'howdah_stream_appended_messages',
      type: 'counter',
      help: 'Messages put in order since the stream was made.',
      samples: ofStreams(({ head }) => head),
    },
    gauge(
      'stream_group_lag_messages',
      'Messages between the group and the head.',
      ofGroups(({ lag }) => lag),
    ),
    gauge(
      'stream_group_pending_messages',
      'Messages of a shared group that are given out, or wait to be tried again.',
      ofGroups(({ pending }) => pending),
    ),
    gauge(
      'stream_group_dead_messages',
      'Messages that failed too often.',
      ofGroups(({ dead }) => dead),
    ),
    gauge(
      'stream_group_members',
      'Members that live; of a shared group those that hold messages.',
      ofGroups(({ members }) => members),
    ),
    gauge('stream_unsequenced_messages', 'Committed messages that are not in order yet.', [
      { value: stats.unsequenced },
    ]),
    gauge(
      'stream_oldest_unsequenced_age_seconds',
      'Age of the oldest message that is not in order yet; 0 where there is none.',
      [{ value: (stats.oldestUnsequencedMs ?? 0) / 1000 }],
      'seconds',
    ),
    gauge(
      'notification_queue_usage_ratio',
      'Share of the notification queue of PostgreSQL that is full: at 1 every commit that notifies fails.',
      [{ value: stats.notificationQueueUsage }],
      'ratio',
    ),
  ]
}
