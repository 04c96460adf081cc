import type { MetricSample } from './metric-source.js'

/** One family as it is written: a histogram's samples are those of its buckets, count and sum. */
export interface WrittenFamily {
  readonly name: string
  readonly type: 'gauge' | 'counter' | 'histogram'
  readonly unit?: string | undefined
  readonly help: string
  readonly samples: readonly WrittenSample[]
}

/** A sample, and what its name ends with beyond the family's. */
export interface WrittenSample extends MetricSample {
  readonly suffix?: '_bucket' | '_count' | '_sum' | undefined
}

/** What a response says it is. */
export const CONTENT_TYPE = 'application/openmetrics-text; version=1.0.0; charset=utf-8'

/**
 * Writes families as OpenMetrics text.
 *
 * @see https://prometheus.io/docs/specs/om/open_metrics_spec/
 */
export function openMetricsText(families: readonly WrittenFamily[]): string {
  const lines: string[] = []
  for (const { name, type, unit, help, samples } of families) {
    if (samples.length === 0) continue
    lines.push(`# TYPE ${name} ${type}`)
    if (unit !== undefined) lines.push(`# UNIT ${name} ${unit}`)
    lines.push(`# HELP ${name} ${escaped(help)}`)
    const total = type === 'counter' ? '_total' : ''
    for (const { suffix = total, labels = {}, value } of samples) {
      lines.push(`${name}${suffix}${labelSet(labels)} ${number(value)}`)
    }
  }
  return `${lines.join('\n')}${lines.length === 0 ? '' : '\n'}# EOF\n`
}

/** The labels of a sample in braces; nothing where there are none. An empty value means the same as no label. */
export function labelSet(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels)
    .filter(([, value]) => value !== '')
    .map(([name, value]) => `${name}="${escaped(value)}"`)
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

/** A bucket's bound, as the specification wants floats in labels, so that two processes write the same. */
export function bound(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf'
  const text = String(value)
  return /^\d+$/.test(text) ? `${text}.0` : text
}

function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"')
}

function number(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf'
  if (value === Number.NEGATIVE_INFINITY) return '-Inf'
  return String(value)
}
