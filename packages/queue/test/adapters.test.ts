import { context, propagation, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base'
import { type } from 'arktype'
import * as v from 'valibot'
import { afterAll, beforeAll, describe, expect, expectTypeOf, test } from 'vitest'
import { z } from 'zod'
import { openTelemetry } from '../src/adapters/opentelemetry.js'
import { runJobs } from '../src/adapters/testing.js'
import { Queue } from '../src/index.js'
import { Bench } from './support.js'

const bench = new Bench()

describe('OpenTelemetry', () => {
  const exporter = new InMemorySpanExporter()
  const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] })
  beforeAll(() => {
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
    propagation.setGlobalPropagator(new W3CTraceContextPropagator())
    trace.setGlobalTracerProvider(provider)
  })
  afterAll(() => {
    context.disable()
    propagation.disable()
    trace.disable()
  })

  test('goes from add() to the handler, and to what the handler adds', async () => {
    const otel = openTelemetry()
    const jobs = bench.queue<string>({ ...otel.queue, attempts: 1 })
    const tracer = trace.getTracer('test')
    const traceId = await tracer.startActiveSpan('request', async (span) => {
      await jobs.add('first')
      span.end()
      return span.spanContext().traceId
    })
    const worker = jobs.work(
      async (job) => {
        if (job.payload === 'first') await jobs.add('second')
        else throw new Error('second fails')
      },
      { ...otel.work },
    )
    await expect.poll(() => jobs.stats()).toMatchObject({ dead: 1 })
    await worker.close()
    // The second may end first: it can start before the first has heard that it was added.
    const spans = exporter.getFinishedSpans().filter((span) => span.name.startsWith('process'))
    const second = spans.find((span) => span.status.code === 2)
    const first = spans.find((span) => span !== second)
    expect(spans.map((span) => span.spanContext().traceId)).toEqual([traceId, traceId])
    expect(first?.status.code).toBe(0)
    expect(second?.parentSpanContext?.spanId).toBe(first?.spanContext().spanId)
  })
})

test('runJobs() leaves alone what waits behind a retry of its group', async () => {
  const jobs = bench.queue<number>({ backoff: 60_000, groups: { concurrency: 1 } })
  await jobs.addMany([0, 1, 2], { group: 'g' })
  const { completed } = await runJobs(jobs, (job) => {
    if (job.payload === 1) throw new Error('again')
  })
  expect(completed.map((job) => job.payload)).toEqual([0])
  expect(await jobs.stats()).toMatchObject({ waiting: 1, delayed: 1, running: 0 })
})

test('a trace given to add() reaches the handler, and the jobs it adds, without OpenTelemetry', async () => {
  const jobs = bench.queue<number>()
  const given = { traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`, tracestate: 'v=1' }
  await jobs.add(1, { trace: given })
  const traces: unknown[] = []
  await runJobs(jobs, async (job) => {
    traces.push(job.trace)
    if (job.payload === 1) await jobs.add(2)
  })
  expect(traces).toEqual([given, given])
  await expect(jobs.add(1, { trace: { traceparent: 'nonsense' } })).rejects.toMatchObject({
    code: 'QUEUE_INVALID_OPTION',
  })
})

describe('schemas', () => {
  const schemas = {
    zod: z.object({ n: z.coerce.number().int(), tag: z.string().default('none') }),
    valibot: v.object({
      n: v.pipe(v.unknown(), v.transform(Number), v.integer()),
      tag: v.optional(v.string(), 'none'),
    }),
    arktype: type({ n: 'string.integer.parse | number.integer', tag: "string = 'none'" }),
  }

  test.each(Object.entries(schemas))(
    'of %s check payloads, and what they make of them is stored',
    async (_name, input) => {
      const jobs = bench.queue<{ n: number; tag: string }>({ input: input as never })
      await jobs.add({ n: '5' } as never)
      await expect(jobs.add({ n: 'five' } as never)).rejects.toMatchObject({
        code: 'QUEUE_INVALID_PAYLOAD',
      })
      await expect(jobs.addMany([{ n: 1 }, { n: 'x' }] as never)).rejects.toMatchObject({
        code: 'QUEUE_INVALID_PAYLOAD',
      })
      const { completed } = await runJobs(jobs, () => {})
      expect(completed.map((job) => job.payload)).toEqual([{ n: 5, tag: 'none' }])
    },
  )

  test('give the queue its types, and check outputs', async () => {
    const jobs = new Queue(bench.fresh(), {
      pool: bench.pool,
      input: z.object({ n: z.number() }),
      output: z.object({ twice: z.number() }),
      attempts: 1,
    })
    expectTypeOf(jobs).toEqualTypeOf<Queue<{ n: number }, { twice: number }>>()
    await jobs.addMany([{ n: 1 }, { n: 2 }])
    const { completed, failed } = await runJobs(jobs, (job) =>
      job.payload.n === 1 ? { twice: 2 } : ({ thrice: 6 } as never),
    )
    expect(completed.map((job) => job.output)).toEqual([{ twice: 2 }])
    expect(failed.map((job) => job.error)).toMatchObject([{ code: 'QUEUE_INVALID_OUTPUT' }])
    await jobs.close()
    expect(() => new Queue('x', { pool: bench.pool, input: {} as never })).toThrow(
      /Standard Schema/,
    )
  })
})
