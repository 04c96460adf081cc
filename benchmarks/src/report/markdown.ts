import type { Spread } from '../measure/statistics.js'
import type { ContenderResult, ScenarioResult, SuiteResult } from './results.js'

/** Renders the results for the terminal and for `benchmarks/results/<suite>.md`. */
export function markdown(result: SuiteResult): string {
  return `${[`# Benchmark: ${result.suite}`, conditions(result), ...result.scenarios.map(section), ...measures(result)].join('\n\n')}\n`
}

function measures({ measures }: SuiteResult): string[] {
  if (measures.length === 0) return []
  const rows = measures.map(
    ({ figure, title, unit, value }) =>
      `| ${figure} | ${title} | ${range(value, (n) => (n < 100 ? n.toFixed(2) : Math.round(n).toLocaleString('en')))} ${unit} |`,
  )
  return [
    ['## Numbers of ours', ['| figure | what | value |', '|---|---|---|', ...rows].join('\n')].join(
      '\n\n',
    ),
  ]
}

function conditions(result: SuiteResult): string {
  const { machine, postgres, redis, rounds, roundMs } = result
  const settings = Object.entries(postgres.settings).map(([name, value]) => `${name}=${value}`)
  return [
    `- ${machine.cpu}, ${machine.cores} cores, ${machine.memoryGiB} GiB, ${machine.os}; load average ${result.loadBefore} before, ${result.loadAfter} after`,
    `- Node ${machine.node}, PostgreSQL ${postgres.version} (${settings.join(', ')})`,
    ...(redis === undefined ? [] : [`- Redis ${redis.version}, persistence ${redis.persistence}`]),
    ...result.missing.map((what) => `- Missing: ${what}`),
    `- ${rounds} rounds of ${roundMs} ms for each contender, in turns, in one run${result.quick ? ' (--quick)' : ''}; medians, with the range over the rounds`,
    '- CPU is microseconds for one operation: client + server',
  ].join('\n')
}

function section({
  figure,
  figures,
  title,
  callers,
  compares,
  contenders,
}: ScenarioResult): string {
  const what = {
    throughput: '',
    latency: 'p50: ',
    latency_p99: 'p99: ',
    speed: '1/p50: ',
  }[compares]
  const ratio = `${what}ours over it`
  const who = callers === 1 ? '1 caller' : `${callers} callers`
  return [
    `## ${[figure, ...Object.keys(figures)].join(', ')}`,
    `${title}, ${who}.`,
    [
      `| contender | operations/s | p50 ms | p99 ms | CPU µs | ${ratio} |`,
      '|---|---|---|---|---|---|',
      ...contenders.map(row),
    ].join('\n'),
  ].join('\n\n')
}

function row(contender: ContenderResult, at: number): string {
  const { name, perSecond, p50Ms, p99Ms, clientMicros, serverMicros, oursOverThis } = contender
  const server = serverMicros === undefined ? 'not visible' : serverMicros.toFixed(1)
  const cells = [
    name,
    range(perSecond, (value) => Math.round(value).toLocaleString('en')),
    milliseconds(p50Ms),
    milliseconds(p99Ms),
    `${clientMicros.toFixed(1)} + ${server}`,
    at === 0 ? '' : range(oursOverThis, (value) => value.toFixed(2)),
  ]
  return `| ${cells.join(' | ')} |`
}

function milliseconds(value: number | null): string {
  return value === null || Number.isNaN(value) ? '–' : value.toFixed(2)
}

function range({ median, min, max }: Spread, format: (value: number) => string): string {
  return `**${format(median)}** [${format(min)}–${format(max)}]`
}
