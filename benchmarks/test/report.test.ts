import { expect, test } from 'vitest'
import { readArguments } from '../src/arguments.js'
import { parseStat } from '../src/measure/process-cpu.js'
import type { Round } from '../src/measure/rounds.js'
import { markdown } from '../src/report/markdown.js'
import { jsonLine, type SuiteResult, summarize } from '../src/report/results.js'

const round = (perSecond: number, serverMicros?: number): Round => ({
  perSecond,
  p50Ms: 1,
  p99Ms: 2,
  clientMicros: 3,
  serverMicros,
})
const contender = (name: string) => ({ name, call: async () => {} })
const scenario = {
  figure: 'ours_vs_theirs',
  title: 'Work',
  callers: 64,
  ours: contender('ours'),
  peers: [contender('theirs'), contender('other')] as const,
}
const rounds = [
  [round(400, 5), round(500, 5), round(450, 5)],
  [round(100, 5), round(100, 5), round(90, 5)],
  [round(800), round(800), round(800)],
]
const result: SuiteResult = {
  suite: 'example',
  quick: true,
  rounds: 3,
  roundMs: 100,
  machine: { cpu: 'A CPU', cores: 2, memoryGiB: 4, os: 'An OS', node: '20.0.0' },
  loadBefore: 1,
  loadAfter: 2,
  postgres: { version: '18.4', settings: { fsync: 'on' } },
  redis: undefined,
  missing: ['peers on Redis'],
  measures: [],
  scenarios: [summarize(scenario, rounds)],
}

test('jsonLine() is one line with ours over the first peer', () => {
  expect(jsonLine(result)).toBe('{"suite":"example","figures":{"ours_vs_theirs":5}}')
})

test('jsonLine() holds numbers of ours', () => {
  const value = { median: 1.23456, min: 1, max: 2 }
  const measures = [{ figure: 'lookup_ms', title: 'A lookup', unit: 'ms', value }]
  const { figures } = JSON.parse(jsonLine({ ...result, measures }))
  expect(figures).toEqual({ ours_vs_theirs: 5, lookup_ms: 1.235 })
})

test('jsonLine() holds further figures, and those that compare latencies', () => {
  const slow = rounds.map((all, at) => all.map((one) => ({ ...one, p50Ms: at + 1 })))
  const scenarios = [
    summarize({ ...scenario, figures: { ours_vs_other: 'other' } }, rounds),
    summarize({ ...scenario, figure: 'latency', callers: 1, compares: 'latency' }, slow),
  ]
  const { figures } = JSON.parse(jsonLine({ suite: 'example', scenarios }))
  expect(figures).toEqual({ ours_vs_theirs: 5, ours_vs_other: 0.563, latency: 0.5 })
  const text = markdown({ ...result, scenarios })
  expect(text).toContain('## ours_vs_theirs, ours_vs_other')
  expect(text).toContain('Work, 1 caller.')
  expect(text).toContain('p50: ours over it')
})

test('markdown() describes the machine and every contender, and says what is missing', () => {
  const text = markdown(result)
  expect(text).toContain(
    '| theirs | **100** [90–100] | 1.00 | 2.00 | 3.0 + 5.0 | **5.00** [4.00–5.00] |',
  )
  expect(text).toContain('| other | **800** [800–800] | 1.00 | 2.00 | 3.0 + not visible |')
  expect(text).toContain('A CPU, 2 cores, 4 GiB, An OS; load average 1 before, 2 after')
  expect(text).toContain('PostgreSQL 18.4 (fsync=on)')
  expect(text).toContain('Missing: peers on Redis')
})

test('readArguments() takes a known suite and refuses what it does not understand', () => {
  const suites = ['core', 'cache']
  expect(readArguments(['core'], suites)).toMatchObject({ suite: 'core', quick: false, rounds: 7 })
  expect(readArguments(['--quick', 'cache', '--json', '--out', 'a.json'], suites)).toMatchObject({
    suite: 'cache',
    quick: true,
    json: true,
    rounds: 3,
    only: '',
    out: 'a.json',
  })
  expect(readArguments(['core', '--only', 'get'], suites)).toMatchObject({ only: 'get' })
  for (const bad of [[], ['none'], ['core', 'cache'], ['core', '--rounds', '2'], ['core', '--x']]) {
    expect(() => readArguments(bad, suites)).toThrow()
  }
})

test('parseStat() reads a process whose name holds spaces and parentheses', () => {
  const line =
    '4242 (postgres: a) b) S 17 4242 4242 0 -1 4194560 900 800 0 0 31 11 7 5 20 0 1 0 99 1 1'
  expect(parseStat(line)).toEqual({ name: 'postgres: a) b', parent: 17, own: 42, ended: 12 })
})
