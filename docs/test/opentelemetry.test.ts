import { Cache } from '@howdah/cache'
import { Database } from '@howdah/core'
import { openTelemetry } from '@howdah/core/opentelemetry'
import { PubSub } from '@howdah/pubsub'
import { Queue } from '@howdah/queue'
import { openTelemetry as ofJobs } from '@howdah/queue/opentelemetry'
import { Sessions } from '@howdah/session'
import { type TestDatabase, testDatabase } from '@howdah/testkit'
import { context, propagation, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base'
import type pg from 'pg'
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest'

const exporter = new InMemorySpanExporter()
let database: TestDatabase
let pool: pg.Pool

beforeAll(async () => {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
  propagation.setGlobalPropagator(new W3CTraceContextPropagator())
  trace.setGlobalTracerProvider(
    new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }),
  )
  database = await testDatabase()
  pool = database.pool()
})
afterAll(async () => {
  context.disable()
  propagation.disable()
  trace.disable()
  await Database.from(pool).close()
  await database.close()
})
beforeEach(() => exporter.reset())

const named = (name: string) => exporter.getFinishedSpans().find((span) => span.name === name)
const parentOf = (span: ReadableSpan | undefined) => span?.parentSpanContext?.spanId
const idOf = (span: ReadableSpan | undefined) => span?.spanContext().spanId

/** Runs within a span, as a request is. */
async function request(run: () => Promise<unknown>): Promise<string> {
  return trace.getTracer('test').startActiveSpan('request', async (span) => {
    await run()
    span.end()
    return span.spanContext().spanId
  })
}

test('operations of every package are spans of the request they belong to', async () => {
  onTestFinished(openTelemetry())
  const cache = new Cache({ pool, namespace: 'prices' })
  const sessions = new Sessions({ pool })
  const pubsub = new PubSub({ pool })
  const queue = new Queue<number>('mails', { pool })
  const id = await request(async () => {
    await cache.set('tea', 1)
    await cache.get('tea')
    await sessions.load((await sessions.create({})).id)
    await pubsub.channel('news').publish(1)
    await pubsub.stream('orders').append(1)
    await queue.add(1)
  })
  for (const name of [
    'cache set',
    'cache get',
    'session load',
    'publish',
    'append orders',
    'add mails',
  ]) {
    expect(parentOf(named(name)), name).toBe(id)
  }
  const statements = exporter
    .getFinishedSpans()
    .filter((span) => 'db.system.name' in span.attributes)
  expect(statements.length).toBeGreaterThan(5)
  await Promise.all([cache.close(), sessions.close(), pubsub.close(), queue.close()])
})

test('a job goes on with the trace of who added it, and what its handler does is a child', async () => {
  onTestFinished(openTelemetry())
  const cache = new Cache({ pool, namespace: 'sent' })
  const queue = new Queue<number>('letters', { pool, ...ofJobs().queue })
  const id = await request(() => queue.add(1))
  queue.work(async (job) => {
    trace.getTracer('test').startSpan('of the handler').end()
    await cache.set(job.id, true)
  })
  await expect.poll(() => named('process letters')).toBeDefined()
  await queue.close()
  await cache.close()
  const job = named('process letters')
  expect(parentOf(job)).toBe(id)
  expect(parentOf(named('of the handler'))).toBe(idOf(job))
  expect(parentOf(named('cache set'))).toBe(idOf(job))
})

test('the hooks of the queue make the span of a job instead, where that is ignored here', async () => {
  onTestFinished(openTelemetry({ ignore: ['@howdah/queue:process'] }))
  const hooks = ofJobs()
  const cache = new Cache({ pool, namespace: 'other' })
  const queue = new Queue<number>('parcels', { pool, ...hooks.queue })
  const id = await request(() => queue.add(1))
  queue.work(async (job) => cache.set(job.id, true), { ...hooks.work })
  await expect.poll(() => named('process parcels')).toBeDefined()
  await queue.close()
  await cache.close()
  const jobs = exporter.getFinishedSpans().filter(({ name }) => name === 'process parcels')
  expect(jobs.map((span) => [parentOf(span), span.instrumentationScope.name])).toEqual([
    [id, '@howdah/queue'],
  ])
  expect(parentOf(named('cache set'))).toBe(idOf(jobs[0]))
})
