/** One value of a {@link MetricFamily}. */
export interface MetricSample {
  readonly labels?: Readonly<Record<string, string>> | undefined
  readonly value: number
}

/** What is measured under one name. */
export interface MetricFamily {
  /** As OpenMetrics has it: with the unit as suffix where there is one, and without the `_total` of counters. */
  readonly name: string
  readonly type: 'gauge' | 'counter'
  readonly unit?: 'seconds' | 'bytes' | 'ratio' | undefined
  readonly help: string
  readonly samples: readonly MetricSample[]
}

/** Reads what there is to know of one thing now. */
export interface MetricReader {
  /** Which package it belongs to, without the scope. */
  readonly package: string
  /** The thing's own name: a queue, a namespace. Package and name tell sources apart. */
  readonly name: string
  read(): Promise<readonly MetricFamily[]>
}

/**
 * What `metrics()` of `@howdah/core/metrics` can be given: a hub, a queue, a cache, a PubSub, sessions, or something of your own.
 *
 * @example
 * ```ts
 * import type { MetricSource } from '@howdah/core'
 *
 * const thermometer: MetricSource = {
 *   metricReader: {
 *     package: 'example',
 *     name: 'kitchen',
 *     read: async () => [
 *       { name: 'example_celsius', type: 'gauge', help: 'How warm it is.', samples: [{ value: 21 }] },
 *     ],
 *   },
 * }
 * ```
 */
export interface MetricSource {
  readonly metricReader: MetricReader
}
