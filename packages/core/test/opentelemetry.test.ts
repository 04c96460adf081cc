import { type OpenTelemetryOptions, openTelemetry } from '@howdah/core/opentelemetry'
import {
  type Attributes,
  context,
  type MeterProvider,
  metrics,
  propagation,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base'
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { HowdahError, tracer } from '../src/index.js'

const exporter = new InMemorySpanExporter()
const recorded: {
  readonly name: string
  readonly value: number
  readonly attributes: Attributes
}[] = []

/** No SDK for metrics is among our development dependencies: it is told apart by nothing but the interface. */
const meters = {
  getMeter: () => ({
    createHistogram: (name: string) => ({
      record: (value: number, attributes: Attributes) => recorded.push({ name, value, attributes }),
    }),
  }),
} as unknown as MeterProvider

beforeAll(() => {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
  propagation.setGlobalPropagator(new W3CTraceContextPropagator())
  trace.setGlobalTracerProvider(
    new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }),
  )
  metrics.setGlobalMeterProvider(meters)
})
afterAll(() => {
  context.disable()
  propagation.disable()
  trace.disable()
  metrics.disable()
})
afterEach(() => {
  exporter.reset()
  recorded.length = 0
})

function start(options?: OpenTelemetryOptions): void {
  onTestFinished(openTelemetry(options))
}

const spans = () => exporter.getFinishedSpans()
const named = (name: string) => spans().find((span) => span.name === name)
const idOf = (span: ReadableSpan | undefined) => span?.spanContext().spanId
const outer = tracer('@test/otel:outer')
const query = tracer('@howdah/core:query')
const process = tracer('@howdah/queue:process')
const statement = () => ({ target: 'howdah.test.read.0123456789abcdef' })

describe('spans', () => {
  test('are active while the operation runs, over its waits, for ours and for other libraries', async () => {
    start()
    await trace.getTracer('test').startActiveSpan('request', async (request) => {
      await outer.run(
        () => ({ target: 'shop', count: 2 }),
        async () => {
          await new Promise((resolve) => setImmediate(resolve))
          await query.run(statement, async () => {})
          trace.getTracer('test').startSpan('of another library').end()
        },
      )
      trace.getTracer('test').startSpan('after').end()
      request.end()
    })
    const request = named('request')
    const ours = named('otel outer')
    expect(ours?.parentSpanContext?.spanId).toBe(idOf(request))
    expect(ours).toMatchObject({ kind: SpanKind.INTERNAL, attributes: { 'howdah.target': 'shop' } })
    expect(named('test.read')?.parentSpanContext?.spanId).toBe(idOf(ours))
    expect(named('test.read')).toMatchObject({
      kind: SpanKind.CLIENT,
      attributes: { 'db.system.name': 'postgresql', 'db.query.summary': 'test.read' },
    })
    expect(named('of another library')?.parentSpanContext?.spanId).toBe(idOf(ours))
    expect(named('after')?.parentSpanContext?.spanId).toBe(idOf(request))
  })

  test('of statements are made within others only, for the library asks the server all the time', async () => {
    start()
    await query.run(statement, async () => {})
    expect(spans()).toEqual([])
    expect(recorded).toMatchObject([{ attributes: { 'howdah.target': 'test.read' } }])
  })

  test('tell errors, thrown before there was a promise or after', async () => {
    start()
    const error = new HowdahError('CORE_CLOSED', 'no')
    await outer
      .run(
        () => ({ target: 'a' }),
        () => Promise.reject(error),
      )
      .catch(() => {})
    expect(() =>
      outer.run(
        () => ({ target: 'b' }),
        () => {
          throw error
        },
      ),
    ).toThrow(error)
    await outer
      .run(
        () => ({ target: 'c' }),
        () => Promise.reject('text'),
      )
      .catch(() => {})
    expect(
      spans().map(({ status, attributes }) => [status.code, attributes['error.type']]),
    ).toEqual([
      [SpanStatusCode.ERROR, 'CORE_CLOSED'],
      [SpanStatusCode.ERROR, 'CORE_CLOSED'],
      [SpanStatusCode.ERROR, 'other'],
    ])
    expect(recorded.map(({ attributes }) => attributes['error.type'])).toEqual([
      'CORE_CLOSED',
      'CORE_CLOSED',
      'other',
    ])
  })

  const job = { id: '7', trace: { traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01` } }
  const run = (item: unknown) =>
    process.run(
      () => ({ target: 'mails', item }),
      async () => {},
    )

  test('of jobs go on with the trace of the job, and never with what is active by chance', async () => {
    start()
    await trace.getTracer('test').startActiveSpan('chance', async (chance) => {
      await run(job)
      for (const trace of [undefined, {}, { traceparent: 'nonsense' }, 7])
        await run({ id: '8', trace })
      chance.end()
    })
    const [first, ...others] = spans().filter(({ name }) => name === 'process mails')
    expect(first).toMatchObject({
      kind: SpanKind.CONSUMER,
      attributes: {
        'messaging.system': 'howdah',
        'messaging.destination.name': 'mails',
        'messaging.operation.type': 'process',
        'messaging.message.id': '7',
      },
    })
    expect(first?.spanContext().traceId).toBe('a'.repeat(32))
    expect(first?.parentSpanContext?.spanId).toBe('b'.repeat(16))
    expect(others.map((span) => span.parentSpanContext)).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
    ])
  })

  test('of jobs are linked to it instead, where that is asked for', async () => {
    start({ relation: 'link' })
    await run(job)
    const [span] = spans()
    expect(span?.spanContext().traceId).not.toBe('a'.repeat(32))
    expect(span?.links.map((link) => link.context.spanId)).toEqual(['b'.repeat(16)])
  })

  test('of channels do not carry their names, of which there may be a million', async () => {
    start()
    await tracer('@howdah/pubsub:publish').run(
      () => ({ target: 'user:4711' }),
      async () => {},
    )
    expect(spans()).toMatchObject([{ name: 'publish', kind: SpanKind.PRODUCER }])
    expect(recorded[0]?.attributes).toEqual({
      'howdah.package': 'pubsub',
      'howdah.operation': 'publish',
    })
  })
})

describe('options', () => {
  test('switch spans, metrics and single operations off, and stopping switches all', async () => {
    const once = async (options: OpenTelemetryOptions) => {
      const stop = openTelemetry(options)
      await outer.run(
        () => ({ target: 'a' }),
        async () => {},
      )
      stop()
      const counts = [spans().length, recorded.length]
      exporter.reset()
      recorded.length = 0
      return counts
    }
    expect(await once({})).toEqual([1, 1])
    expect(await once({ spans: false })).toEqual([0, 1])
    expect(await once({ metrics: false })).toEqual([1, 0])
    expect(await once({ ignore: ['@test/otel:outer'] })).toEqual([0, 0])
    expect(outer.active).toBe(false)
    await outer.run(
      () => ({ target: 'a' }),
      async () => {},
    )
    expect([spans().length, recorded.length]).toEqual([0, 0])
  })

  test('that are not valid are refused', () => {
    for (const options of [
      { spans: 1 },
      { metrics: 'x' },
      { ignore: 'x' },
      { ignore: [1] },
      { relation: 'x' },
    ]) {
      expect(() => openTelemetry(options as never)).toThrow(
        expect.objectContaining({ code: 'CORE_INVALID_OPTION' }),
      )
    }
    expect(outer.active).toBe(false)
  })
})
