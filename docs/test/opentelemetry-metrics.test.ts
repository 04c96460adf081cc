import { Cache } from '@howdah/cache'
import { Database } from '@howdah/core'
import { openTelemetry } from '@howdah/core/opentelemetry'
import { Queue } from '@howdah/queue'
import { Sessions } from '@howdah/session'
import { type TestDatabase, testDatabase } from '@howdah/testkit'
import { metrics } from '@opentelemetry/api'
import {
  AggregationTemporality,
  type DataPoint,
  DataPointType,
  type Histogram,
  type HistogramMetricData,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics'
import type pg from 'pg'
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest'

const exporter = new InMemoryMetricExporter(AggregationTemporality.DELTA)
// It exports when it is told to, and not by time.
const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 })
const provider = new MeterProvider({ readers: [reader] })
let database: TestDatabase
let pool: pg.Pool

beforeAll(async () => {
  metrics.setGlobalMeterProvider(provider)
  database = await testDatabase()
  pool = database.pool()
})
afterAll(async () => {
  metrics.disable()
  await provider.shutdown()
  await Database.from(pool).close()
  await database.close()
})
beforeEach(async () => {
  await reader.forceFlush()
  exporter.reset()
})

/** What was recorded since the test began. */
async function recorded(): Promise<HistogramMetricData | undefined> {
  await reader.forceFlush()
  const all = exporter.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics)
  const ours = all
    .filter(({ scope }) => scope.name === '@howdah/core')
    .flatMap((one) => one.metrics)
  expect(ours.length).toBeLessThanOrEqual(1)
  const [metric] = ours
  if (metric !== undefined && metric.dataPointType !== DataPointType.HISTOGRAM)
    throw new Error('It is a histogram.')
  return metric
}

function pointOf(
  metric: HistogramMetricData | undefined,
  name: string,
  target?: string,
): DataPoint<Histogram> | undefined {
  const [owner, operation] = name.split(' ')
  return metric?.dataPoints.find(
    ({ attributes }) =>
      attributes['howdah.package'] === owner &&
      attributes['howdah.operation'] === operation &&
      (target === undefined || attributes['howdah.target'] === target),
  )
}

test('operations of every package are recorded once each, in seconds, with what they were done to', async () => {
  onTestFinished(openTelemetry())
  const cache = new Cache({ pool, namespace: 'prices' })
  const sessions = new Sessions({ pool })
  const queue = new Queue<number>('mails', { pool })
  for (let n = 0; n < 3; n++) await cache.set(`tea${n}`, n)
  await sessions.load((await sessions.create({})).id)
  await queue.add(1)
  const began = performance.now()
  const worker = queue.work(() => {})
  await new Promise<void>((resolve) => worker.on('completed', () => resolve()))
  const longest = performance.now() - began
  await Promise.all([queue.close(), cache.close(), sessions.close()])

  const metric = await recorded()
  expect(metric?.descriptor).toMatchObject({ name: 'howdah.operation.duration', unit: 's' })
  expect(pointOf(metric, 'cache set', 'prices')?.value.count).toBe(3)
  expect(pointOf(metric, 'session load')?.value.count).toBe(1)
  expect(pointOf(metric, 'queue add', 'mails')?.value.count).toBe(1)
  const job = pointOf(metric, 'queue process', 'mails')?.value
  expect(job?.count).toBe(1)
  expect(job?.sum).toBeLessThanOrEqual(longest / 1000)
  expect(job?.buckets.boundaries.slice(0, 2)).toEqual([0.0005, 0.001])
  expect(pointOf(metric, 'core query')).toBeDefined()
  // Names only: no key, payload or id becomes a series of its own.
  expect(JSON.stringify(metric?.dataPoints.map(({ attributes }) => attributes))).not.toMatch(
    /tea\d/,
  )
})

test('what fails is recorded with the code of its error', async () => {
  onTestFinished(openTelemetry())
  const queue = new Queue<number>('letters', { pool, attempts: 1 })
  await queue.addMany([1, 2])
  const worker = queue.work((job) => {
    if (job.payload === 2) throw Object.assign(new Error('no'), { code: 'ECONNRESET' })
  })
  await expect.poll(() => queue.stats()).toMatchObject({ dead: 1, totals: { completed: 1 } })
  await worker.close()
  await queue.close()
  const metric = await recorded()
  const jobs = metric?.dataPoints.filter(
    ({ attributes }) => attributes['howdah.operation'] === 'process',
  )
  expect(jobs?.map(({ attributes, value }) => [attributes['error.type'], value.count])).toEqual(
    expect.arrayContaining([
      [undefined, 1],
      ['ECONNRESET', 1],
    ]),
  )
})

test('nothing is recorded of what is ignored, with metrics switched off, or after the end', async () => {
  const cache = new Cache({ pool, namespace: 'quiet' })
  onTestFinished(() => cache.close())
  const ignoring = openTelemetry({ ignore: ['@howdah/cache:set', '@howdah/core:query'] })
  await cache.set('k', 1)
  await cache.get('k')
  ignoring()
  const some = await recorded()
  expect(pointOf(some, 'cache get')?.value.count).toBe(1)
  expect(pointOf(some, 'cache set')).toBeUndefined()
  expect(pointOf(some, 'core query')).toBeUndefined()

  exporter.reset()
  const spansOnly = openTelemetry({ metrics: false })
  await cache.set('k', 2)
  spansOnly()
  await cache.set('k', 3)
  expect((await recorded())?.dataPoints ?? []).toEqual([])
})
