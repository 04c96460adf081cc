/**
 * What the packages know of themselves, as OpenMetrics text for Prometheus.
 *
 * @packageDocumentation
 */
import type { MetricReader, MetricSource } from '../metrics/metric-source.js'
import { CONTENT_TYPE, openMetricsText, type WrittenFamily } from '../metrics/open-metrics.js'
import { Operations } from '../metrics/operations.js'
import { invalid, type MetricsOptions, resolveMetricsOptions } from '../metrics/options.js'
import { merge, Scrape } from '../metrics/scrape.js'

export type { MetricsOptions } from '../metrics/options.js'

/** The part of a response of `node:http` or Express that is used. */
export interface ResponseLike {
  statusCode: number
  setHeader(name: string, value: string): unknown
  end(body: string): unknown
}

/** The part of a reply of Fastify that is used. */
export interface ReplyLike {
  readonly raw: unknown
  header(name: string, value: string): unknown
  send(body: string): unknown
}

/** What {@link metrics} answers. */
export interface Metrics {
  /** Reads all sources now and answers everything as OpenMetrics text. Never rejects: a source that fails or is late is missing, and `howdah_source_up` says so. */
  text(): Promise<string>
  /** Answers a request with the text: a listener of `node:http`, a handler of Express, or one of Fastify. Who may ask is up to the application. */
  readonly handler: (request: unknown, response: ResponseLike | ReplyLike) => Promise<void>
  /** Stops measuring. */
  close(): void
}

/**
 * Measures from now on, until it is closed: the operations of all packages in this process, from their tracing channels, and at each scrape what the
 * sources tell: hubs (`db.hub`), queues, caches, PubSubs, sessions. Nothing is measured before.
 *
 * @example
 * ```ts
 * import { createServer } from 'node:http'
 * import { Database } from '@howdah/core'
 * import { metrics } from '@howdah/core/metrics'
 * import { Pool } from 'pg'
 *
 * const db = Database.from(new Pool())
 * const measured = metrics([db.hub])
 * const server = createServer(measured.handler)
 * console.log(await measured.text())
 * measured.close()
 * server.close()
 * ```
 *
 * @see https://prometheus.io/docs/specs/om/open_metrics_spec/
 * @throws {@link HowdahError} CORE_INVALID_OPTION when an option is not valid, or a source is none or given twice; CORE_INVALID_DURATION
 */
export function metrics(sources: readonly MetricSource[], options: MetricsOptions = {}): Metrics {
  const { timeoutMs, operations, buckets, maxSeries } = resolveMetricsOptions(options)
  const scrapes = readersOf(sources).map((reader) => new Scrape(reader, timeoutMs))
  const measured = operations ? new Operations(buckets, maxSeries) : undefined
  const text = async (): Promise<string> => {
    const looks = await Promise.all(scrapes.map((scrape) => scrape.look()))
    const merged = merge(
      looks.map(({ families }) => families ?? []),
      maxSeries,
    )
    const of = (value: (look: (typeof looks)[number]) => number) =>
      looks.map((look, at) => ({ labels: scrapes[at]?.labels, value: value(look) }))
    const own: WrittenFamily[] = [
      {
        name: 'howdah_source_up',
        type: 'gauge',
        help: 'Whether the source answered this scrape in time.',
        samples: of(({ families }) => Number(families !== undefined)),
      },
      {
        name: 'howdah_source_duration_seconds',
        type: 'gauge',
        unit: 'seconds',
        help: 'How long this scrape waited for the source.',
        samples: of(({ seconds }) => seconds),
      },
      {
        name: 'howdah_scrape_left_out_samples',
        type: 'gauge',
        help: 'Samples of sources that this scrape left out: above maxSeries, told twice, or no number.',
        samples: [{ value: merged.leftOut }],
      },
    ]
    return openMetricsText([...(measured?.families() ?? []), ...merged.families, ...own])
  }
  return {
    text,
    handler: async (_request, response) => {
      const body = await text()
      if ('raw' in response) {
        response.header('content-type', CONTENT_TYPE)
        response.send(body)
        return
      }
      response.statusCode = 200
      response.setHeader('Content-Type', CONTENT_TYPE)
      response.end(body)
    },
    close: () => measured?.close(),
  }
}

const LABEL = /^[a-z][a-z0-9_]*$/

/**
 * Answers a source whose samples carry more labels: for two that are called the same, such as the hubs of two servers.
 *
 * @example
 * ```ts
 * import { Database } from '@howdah/core'
 * import { metrics, withLabels } from '@howdah/core/metrics'
 * import { Pool } from 'pg'
 *
 * const servers = ['main', 'jobs'].map((host) => [host, new Pool({ host })] as const)
 * const hubs = servers.map(([server, pool]) => withLabels(Database.from(pool).hub, { server }))
 * metrics(hubs).close()
 * ```
 *
 * @throws {@link HowdahError} CORE_INVALID_OPTION when a label's name is not of small letters, digits and `_`, or the source is none
 */
export function withLabels(
  source: MetricSource,
  labels: Readonly<Record<string, string>>,
): MetricSource {
  const reader = readerOf(source)
  const more = Object.freeze({ ...labels })
  const wrong = Object.keys(more).find((name) => !LABEL.test(name) || name === 'le')
  if (wrong !== undefined) {
    throw invalid(
      `A label must be called by small letters, digits and _, not ${JSON.stringify(wrong)}.`,
    )
  }
  return {
    metricReader: {
      package: reader.package,
      name: [reader.name, ...Object.values(more)].join(' '),
      read: async () =>
        (await reader.read()).map((family) => ({
          ...family,
          samples: family.samples.map((sample) => ({
            ...sample,
            labels: { ...more, ...sample.labels },
          })),
        })),
    },
  }
}

function readersOf(sources: readonly MetricSource[]): MetricReader[] {
  if (!Array.isArray(sources)) throw invalid('metrics() takes an array of sources.')
  const readers = sources.map(readerOf)
  const known = new Set<string>()
  for (const { package: of, name } of readers) {
    const key = JSON.stringify([of, name])
    if (known.has(key)) {
      throw invalid(
        `Two sources of ${of} are called ${JSON.stringify(name)}. Give one of them, or tell them apart by withLabels().`,
      )
    }
    known.add(key)
  }
  return readers
}

function readerOf(source: MetricSource): MetricReader {
  const reader: unknown = (source as MetricSource | null | undefined)?.metricReader
  if (typeof (reader as MetricReader | undefined)?.read !== 'function') {
    throw invalid(
      'A source must be a hub (db.hub), a Queue, a Cache, a PubSub, Sessions, or have a metricReader.',
    )
  }
  return reader as MetricReader
}
