import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type MetricsOptions, metrics, withLabels } from '@howdah/core/metrics'
import { type TestDatabase, testDatabase } from '@howdah/testkit'
import express from 'express'
import fc from 'fast-check'
import fastify from 'fastify'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import {
  Database,
  HowdahError,
  type MetricFamily,
  type MetricSource,
  tracer,
} from '../../src/index.js'
import { type ParsedFamily, parseOpenMetrics } from './open-metrics-parser.js'

let database: TestDatabase
let db: Database

beforeAll(async () => {
  database = await testDatabase()
  db = Database.from(database.pool())
})
afterAll(async () => {
  await db.close()
  await database.close()
})

function measure(sources: readonly MetricSource[], options: MetricsOptions = {}) {
  const measured = metrics(sources, options)
  onTestFinished(() => measured.close())
  return measured
}

function source(
  name: string,
  families: readonly MetricFamily[] | (() => Promise<readonly MetricFamily[]>),
): MetricSource {
  const read = typeof families === 'function' ? families : async () => families
  return { metricReader: { package: 'test', name, read } }
}

const gauge = (name: string, samples: MetricFamily['samples']): MetricFamily => ({
  name,
  type: 'gauge',
  help: 'Test.',
  samples,
})

function samplesOf(
  families: readonly ParsedFamily[],
  name: string,
  labels: Record<string, string> = {},
) {
  return (families.find((family) => family.name === name)?.samples ?? []).filter((sample) =>
    Object.entries(labels).every(([label, value]) => (sample.labels[label] ?? '') === value),
  )
}

describe('operations', () => {
  test('are counted and timed, with their items and the codes of their errors', async () => {
    const work = tracer('@test/metrics:work')
    const measured = measure([], { buckets: [0.5, 1, 60] })
    const context = () => ({ target: 'a "b"\n\\c', count: 3 })
    await work.run(context, async () => 1)
    await work.run(context, async () => 2)
    const errors = [
      new HowdahError('CORE_CLOSED', 'x'),
      Object.assign(new Error(), { code: '23505', severity: 'ERROR' }),
      Object.assign(new Error(), { code: 'ECONNREFUSED' }),
      Object.assign(new Error(), { code: 'user 4711' }),
      undefined,
    ]
    for (const error of errors) {
      await work.run(context, () => Promise.reject(error)).catch(() => {})
    }
    expect(() =>
      work.run(context, () => {
        throw new HowdahError('CORE_CLOSED', 'before there was a promise')
      }),
    ).toThrow()

    const families = parseOpenMetrics(await measured.text())
    const labels = { package: 'metrics', operation: 'work', target: 'a "b"\n\\c' }
    const histogram = samplesOf(families, 'howdah_operation_duration_seconds', labels)
    const of = (suffix: string) => histogram.filter(({ name }) => name.endsWith(suffix))
    expect(of('_bucket').map((sample) => [sample.labels['le'], sample.value])).toEqual([
      ['0.5', 8],
      ['1.0', 8],
      ['60.0', 8],
      ['+Inf', 8],
    ])
    expect(of('_count')).toMatchObject([{ value: 8 }])
    expect(of('_sum')[0]?.value).toBeGreaterThan(0)
    expect(samplesOf(families, 'howdah_operation_items', labels)).toMatchObject([{ value: 6 }])
    const codes = samplesOf(families, 'howdah_operation_errors', labels)
    expect(
      Object.fromEntries(codes.map((sample) => [sample.labels['code'], sample.value])),
    ).toEqual({
      CORE_CLOSED: 2,
      23505: 1,
      ECONNREFUSED: 1,
      other: 2,
    })
  })

  test('cost nothing before metrics() and after close()', async () => {
    const rest = tracer('@test/metrics:rest')
    expect(rest.active).toBe(false)
    const [one, two] = [measure([]), measure([])]
    expect(rest.active).toBe(true)
    one.close()
    expect(rest.active).toBe(true)
    two.close()
    expect(rest.active).toBe(false)
    const off = measure([], { operations: false })
    expect(rest.active).toBe(false)
    expect(await off.text()).not.toContain('howdah_operation')
  })

  test('that are traced for the first time later are measured too, and those under way at the beginning are not', async () => {
    const early = tracer('@test/metrics:early')
    let finish: () => void = () => {}
    const under = early.run(
      () => ({ target: 'x' }),
      () => new Promise<void>((resolve) => (finish = resolve)),
    )
    const measured = measure([])
    await tracer('@test/metrics:late').run(
      () => ({ target: 'x' }),
      async () => {},
    )
    finish()
    await under
    const families = parseOpenMetrics(await measured.text())
    expect(samplesOf(families, 'howdah_operation_items', { operation: 'late' })).toMatchObject([
      { value: 1 },
    ])
    expect(samplesOf(families, 'howdah_operation_items', { operation: 'early' })).toEqual([])
  })

  test('on more targets than maxSeries count as other, and none is lost', async () => {
    const many = tracer('@test/metrics:many')
    const measured = measure([], { maxSeries: 5 })
    for (let n = 0; n < 50; n++)
      await many.run(
        () => ({ target: `t${n}` }),
        async () => {},
      )
    const families = parseOpenMetrics(await measured.text())
    const items = samplesOf(families, 'howdah_operation_items', { operation: 'many' })
    expect(items.map((sample) => [sample.labels['target'], sample.value])).toEqual([
      ...[0, 1, 2, 3, 4].map((n) => [`t${n}`, 1]),
      ['other', 45],
    ])
  })

  test('of the database are told apart by what their statements are called', async () => {
    const measured = measure([db.hub])
    await db.migrator.up([])
    await db.query({ name: 'howdah.test.label.0123456789abcdef', text: 'select 1', values: [] })
    const families = parseOpenMetrics(await measured.text())
    expect(
      samplesOf(families, 'howdah_operation_items', { operation: 'query', target: 'test.label' }),
    ).toMatchObject([{ value: 1 }])
  })
})

describe('sources', () => {
  test('are read at each scrape: the hub tells its state, and what it has done', async () => {
    const measured = measure([db.hub], { operations: false })
    const state = async () =>
      samplesOf(parseOpenMetrics(await measured.text()), 'howdah_hub_state').find(
        ({ value }) => value === 1,
      )?.labels['state']
    expect(await state()).toBe('idle')
    const unregister = await db.hub.register('metrics-test', { onMessage() {}, onGap() {} })
    await expect.poll(state).toBe('listening')
    await unregister()
  })

  test('that fail, are late or tell nonsense are missing, and the others are there', async () => {
    let reads = 0
    const late = source('late', () => {
      reads++
      return new Promise(() => {})
    })
    const measured = measure(
      [
        source('good', [gauge('test_good', [{ value: 1 }])]),
        source('bad', () => Promise.reject(new Error('no'))),
        source('throws', () => {
          throw new Error('no')
        }),
        source('nonsense', [gauge('test bad} 1\n# EOF', [{ value: 1 }])]),
        source('labels', [gauge('test_label', [{ labels: { 'a b': 'c' }, value: 1 }])]),
        late,
      ],
      { timeout: 50, operations: false },
    )
    for (let scrape = 0; scrape < 3; scrape++) {
      const families = parseOpenMetrics(await measured.text())
      expect(samplesOf(families, 'test_good')).toMatchObject([{ value: 1 }])
      const up = samplesOf(families, 'howdah_source_up')
      expect(
        Object.fromEntries(up.map((sample) => [sample.labels['source'], sample.value])),
      ).toEqual({
        good: 1,
        bad: 0,
        throws: 0,
        nonsense: 0,
        labels: 0,
        late: 0,
      })
    }
    expect(reads).toBe(1)
  })

  test('that say the same twice, too much or no number are cut, and it is said how much', async () => {
    const measured = measure(
      [
        source('a', [
          gauge('test_n', [
            { labels: { x: '1' }, value: 1 },
            { labels: { x: '1' }, value: 2 },
          ]),
          gauge('test_nan', [{ value: Number.NaN }]),
          { ...gauge('test_down', [{ value: -1 }]), type: 'counter' },
          gauge(
            'test_many',
            Array.from({ length: 9 }, (_, n) => ({ labels: { n: `${n}` }, value: n })),
          ),
        ]),
        source('b', [
          gauge('test_n', [{ labels: { x: '2' }, value: 3 }]),
          { ...gauge('test_n', [{ value: 4 }]), type: 'counter' },
        ]),
      ],
      { maxSeries: 4, operations: false },
    )
    const families = parseOpenMetrics(await measured.text())
    expect(samplesOf(families, 'test_n').map(({ value }) => value)).toEqual([1, 3])
    expect(samplesOf(families, 'test_many').length).toBe(4)
    expect(samplesOf(families, 'howdah_scrape_left_out_samples')).toMatchObject([{ value: 9 }])
  })

  test('of one name are refused, unless labels tell them apart', async () => {
    const one = source('same', [gauge('test_n', [{ value: 1 }])])
    expect(() => metrics([one, one])).toThrow(
      expect.objectContaining({ code: 'CORE_INVALID_OPTION' }),
    )
    const measured = measure([one, withLabels(one, { server: 'b' })], { operations: false })
    const families = parseOpenMetrics(await measured.text())
    expect(samplesOf(families, 'test_n').map(({ labels }) => labels['server'] ?? '')).toEqual([
      '',
      'b',
    ])
    for (const label of ['le', '__name__', 'a-b', 'A', '']) {
      expect(() => withLabels(one, { [label]: 'x' })).toThrow(
        expect.objectContaining({ code: 'CORE_INVALID_OPTION' }),
      )
    }
  })

  test('whatever they and operations are called, the text keeps the grammar and the names', async () => {
    const odd = tracer('@test/metrics:odd')
    const name = fc.string({ unit: 'binary', minLength: 1 })
    await fc.assert(
      fc.asyncProperty(name, fc.double(), async (label, value) => {
        const measured = metrics([
          source(label, [gauge('test_odd', [{ labels: { label }, value }])]),
        ])
        try {
          await odd.run(
            () => ({ target: label }),
            async () => {},
          )
          const families = parseOpenMetrics(await measured.text())
          const told = samplesOf(families, 'test_odd')
          if (!Number.isNaN(value)) {
            expect(told).toMatchObject([{ value: value === 0 ? expect.closeTo(0) : value }])
            expect(told[0]?.labels['label']).toBe(label)
          }
          expect(samplesOf(families, 'howdah_operation_items', { target: label }).length).toBe(1)
        } finally {
          measured.close()
        }
      }),
    )
  })
})

describe('handler', () => {
  const expected = async (url: string) => {
    const response = await fetch(url, { headers: { accept: 'application/openmetrics-text' } })
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toBe(
      'application/openmetrics-text; version=1.0.0; charset=utf-8',
    )
    expect(samplesOf(parseOpenMetrics(await response.text()), 'test_n')).toMatchObject([
      { value: 7 },
    ])
  }

  test('answers as a listener of node:http', async () => {
    const { handler } = measure([source('a', [gauge('test_n', [{ value: 7 }])])])
    const server = createServer(handler).listen(0)
    await expected(`http://localhost:${(server.address() as AddressInfo).port}/`)
    server.close()
  })

  test('answers as a handler of Express', async () => {
    const { handler } = measure([source('a', [gauge('test_n', [{ value: 7 }])])])
    const server = express().get('/metrics', handler).listen(0)
    await expected(`http://localhost:${(server.address() as AddressInfo).port}/metrics`)
    server.close()
  })

  test('answers as a handler of Fastify', async () => {
    const { handler } = measure([source('a', [gauge('test_n', [{ value: 7 }])])])
    const app = fastify()
    app.get('/metrics', handler)
    await expected(`${await app.listen({ port: 0 })}/metrics`)
    await app.close()
  })
})

test('options that are not valid are refused before anything is measured', () => {
  const bad: unknown[] = [
    { timeout: 0 },
    { timeout: 'soon' },
    { operations: 1 },
    { buckets: [1, 1] },
    { buckets: [0, 1] },
    { buckets: [1, Number.NaN] },
    { buckets: 7 },
    { buckets: Array.from({ length: 101 }, (_, n) => n + 1) },
    { maxSeries: 0 },
    { maxSeries: 1.5 },
    { maxSeries: 10_001 },
  ]
  for (const options of bad) {
    expect(() => metrics([], options as MetricsOptions), JSON.stringify(options)).toThrow(
      expect.objectContaining({ code: expect.stringMatching(/^CORE_INVALID_(OPTION|DURATION)$/) }),
    )
  }
  for (const sources of [undefined, {}, [undefined], [{}], [{ metricReader: {} }], ['x']]) {
    expect(() => metrics(sources as never)).toThrow(
      expect.objectContaining({ code: 'CORE_INVALID_OPTION' }),
    )
  }
  expect(tracer('@test/metrics:never').active).toBe(false)
})
