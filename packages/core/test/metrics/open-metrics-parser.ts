/** One sample of an exposition. */
export interface ParsedSample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/** One family, with everything that was said of it. */
export interface ParsedFamily {
  readonly name: string
  readonly type: string
  readonly unit: string
  readonly help: string
  readonly samples: readonly ParsedSample[]
}

type Draft = { -readonly [K in keyof ParsedFamily]: ParsedFamily[K] } & { samples: ParsedSample[] }

const NAME = '[a-zA-Z_:][a-zA-Z0-9_:]*'
const DESCRIPTOR = new RegExp(`^# (TYPE|UNIT|HELP) (${NAME}) (.*)$`, 's')
const SAMPLE = new RegExp(`^(${NAME})(\\{.*\\})? (\\S+)$`, 's')
const LABEL = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^\n\\"]|\\[n\\"])*)"(,|$)/
const NUMBER = /^(?:[+-]?\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|[+-]?\.\d+(?:[eE][+-]?\d+)?|[+-]?Inf|NaN)$/
const SUFFIXES: Readonly<Record<string, readonly string[]>> = {
  gauge: [''],
  counter: ['_total', '_created'],
  histogram: ['_bucket', '_count', '_sum', '_created'],
  unknown: [''],
}

/**
 * Parses OpenMetrics text by the grammar of version 1.0, and refuses whatever it or the rules beside it do not allow: for tests, so it is strict where a server
 * would be lenient. Of the types it knows those that are written here.
 *
 * @see https://prometheus.io/docs/specs/om/open_metrics_spec/#abnf
 */
export function parseOpenMetrics(text: string): ParsedFamily[] {
  if (!text.endsWith('\n')) fail('does not end with a line feed', text.slice(-40))
  if (text.includes('\r\n')) fail('ends a line with a carriage return', text)
  const lines = text.slice(0, -1).split('\n')
  if (lines.pop() !== '# EOF') fail('does not end with # EOF', text.slice(-40))
  const families = new Map<string, Draft>()
  let current: Draft | undefined
  for (const line of lines) {
    const [, keyword, name, rest] = DESCRIPTOR.exec(line) ?? []
    if (keyword !== undefined && name !== undefined && rest !== undefined) {
      if (current?.name !== name) {
        if (families.has(name)) fail('comes back to a family', line)
        current = { name, type: '', unit: '', help: '', samples: [] }
        families.set(name, current)
      }
      if (current.samples.length > 0) fail('describes a family after its samples', line)
      describe(current, keyword, rest, line)
      continue
    }
    if (line.startsWith('#')) fail('is no comment that there may be', line)
    if (current === undefined) return fail('has a sample without a family', line)
    current.samples.push(parseSample(current, line))
  }
  const names = new Set<string>()
  for (const family of families.values()) {
    check(family)
    for (const suffix of ['', ...(SUFFIXES[family.type] ?? [])]) {
      const name = family.name + suffix
      if (suffix !== '' && (names.has(name) || families.has(name))) fail('uses a name twice', name)
      names.add(name)
    }
  }
  return [...families.values()]
}

function describe(family: Draft, keyword: string, rest: string, line: string): void {
  const key = keyword.toLowerCase() as 'type' | 'unit' | 'help'
  if (family[key] !== '') fail('says it twice', line)
  if (key === 'type' && SUFFIXES[rest] === undefined) fail('has a type that there is not', line)
  if (key === 'unit' && !family.name.endsWith(`_${rest}`)) fail('does not end with its unit', line)
  if (key === 'help' && !/^(?:[^\n\\"]|\\[n\\"])*$/.test(rest))
    fail('has help that is not escaped', line)
  family[key] = rest
}

function parseSample(family: Draft, line: string): ParsedSample {
  const [, name = '', braces = '', value = ''] = SAMPLE.exec(line) ?? fail('is no sample', line)
  const suffix = name.startsWith(family.name) ? name.slice(family.name.length) : undefined
  if (suffix === undefined || !SUFFIXES[family.type || 'unknown']?.includes(suffix)) {
    fail(`is no sample of ${family.name}`, line)
  }
  if (!NUMBER.test(value)) fail('has a value that is no number', line)
  const labels: Record<string, string> = Object.create(null)
  let rest = braces.slice(1, -1)
  while (rest !== '') {
    const [whole, label = '', text = '', comma] = LABEL.exec(rest) ?? fail('has bad labels', line)
    if (label in labels) fail('has a label twice', line)
    if (label.startsWith('__')) fail('has a reserved label', line)
    labels[label] = text.replaceAll(/\\([n\\"])/g, (_, c: string) => (c === 'n' ? '\n' : c))
    rest = rest.slice(whole.length)
    if (comma === ',' && rest === '') fail('has a comma too many', line)
  }
  return { name, labels, value: Number(value.replace('Inf', 'Infinity')) }
}

function check({ name, type, samples }: ParsedFamily): void {
  const seen = new Set<string>()
  const ended = new Set<string>()
  let metric: string | undefined
  for (const sample of samples) {
    const { le, ...labels } = sample.labels
    const key = keyOf(labels)
    const point = `${sample.name} ${keyOf(sample.labels)}`
    if (seen.has(point)) fail('says one thing twice', point)
    seen.add(point)
    if (key !== metric) {
      if (ended.has(key)) fail('scatters the samples of a metric', point)
      if (metric !== undefined) ended.add(metric)
      metric = key
    }
    const counts = type === 'counter' || type === 'histogram'
    if (counts && !(sample.value >= 0)) fail('counts below zero, or to no number', point)
    if ((le !== undefined) !== sample.name.endsWith('_bucket'))
      fail('has le where it must not', point)
  }
  if (type === 'histogram') checkHistogram(name, samples)
}

function checkHistogram(name: string, samples: readonly ParsedSample[]): void {
  const metrics = new Map<string, ParsedSample[]>()
  for (const sample of samples) {
    const { le: _, ...labels } = sample.labels
    const key = keyOf(labels)
    metrics.set(key, [...(metrics.get(key) ?? []), sample])
  }
  for (const [key, own] of metrics) {
    const buckets = own.filter((sample) => sample.name === `${name}_bucket`)
    const bounds = buckets.map(({ labels }) => labels['le'] ?? '')
    if (bounds.at(-1) !== '+Inf') fail('has no bucket for the rest', key)
    if (bounds.some((le) => le !== '+Inf' && !/[.e]/.test(le)))
      fail('has a bound that is not canonical', key)
    const numbers = bounds.map((le) => Number(le.replace('+Inf', 'Infinity')))
    if (numbers.some((n, at) => at > 0 && !(n > (numbers[at - 1] ?? 0))))
      fail('has bounds that do not rise', key)
    if (buckets.some(({ value }, at) => at > 0 && value < (buckets[at - 1]?.value ?? 0))) {
      fail('has buckets that are not cumulative', key)
    }
    const count = own.find((sample) => sample.name === `${name}_count`)
    if (count?.value !== buckets.at(-1)?.value) fail('counts other than its buckets', key)
    if (!own.some((sample) => sample.name === `${name}_sum`)) fail('has no sum', key)
  }
}

function keyOf(labels: Readonly<Record<string, string>>): string {
  return JSON.stringify(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)))
}

function fail(what: string, where: string): never {
  throw new Error(`The exposition ${what}: ${where.slice(0, 300)}`)
}
