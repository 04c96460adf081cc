import type { Round } from '../measure/rounds.js'
import { ratio, type Spread, spread } from '../measure/statistics.js'
import type { Machine } from '../servers/machine.js'
import type { Compared, Scenario } from '../suite.js'

export interface ContenderResult {
  readonly name: string
  readonly perSecond: Spread
  readonly p50Ms: number
  readonly p99Ms: number
  readonly clientMicros: number
  readonly serverMicros: number | undefined
  /** Ours over this one, round by round, in what the scenario compares. */
  readonly oursOverThis: Spread
}

export interface ScenarioResult {
  readonly figure: string
  readonly title: string
  readonly callers: number
  readonly compares: Compared
  /** Further figures, each with the name of its peer. */
  readonly figures: Readonly<Record<string, string>>
  /** Ours first, then the peers in their order. */
  readonly contenders: readonly ContenderResult[]
}

export interface MeasureResult {
  readonly figure: string
  readonly title: string
  readonly unit: string
  readonly value: Spread
}

export interface SuiteResult {
  readonly suite: string
  readonly quick: boolean
  readonly rounds: number
  readonly roundMs: number
  readonly machine: Machine
  readonly loadBefore: number
  readonly loadAfter: number
  readonly postgres: {
    readonly version: string
    readonly settings: Readonly<Record<string, string>>
  }
  readonly redis: { readonly version: string; readonly persistence: string } | undefined
  readonly missing: readonly string[]
  readonly scenarios: readonly ScenarioResult[]
  readonly measures: readonly MeasureResult[]
}

/** Sums up the rounds of a scenario, given in the order ours, peers. */
export function summarize(scenario: Scenario, rounds: readonly Round[][]): ScenarioResult {
  const { figure, title, callers, compares = 'throughput', figures = {} } = scenario
  const compared = (round: Round) => {
    if (compares === 'throughput') return round.perSecond
    if (compares === 'speed') return 1000 / round.p50Ms
    return compares === 'latency' ? round.p50Ms : round.p99Ms
  }
  const ours = (rounds[0] ?? []).map(compared)
  const measured = [scenario.ours, ...scenario.peers].map(({ name }, at) => ({
    name,
    all: rounds[at] ?? [],
  }))
  if (scenario.best !== undefined) {
    const { name, peers } = scenario.best
    const together = measured.filter((one) => peers.includes(one.name)).map(({ all }) => all)
    measured.splice(1, 0, {
      name,
      all: bestRounds(together, compared, compares.startsWith('latency')),
    })
  }
  const contenders = measured.map(({ name, all }) => {
    const middle = (pick: (round: Round) => number) => spread(all.map(pick)).median
    return {
      name,
      perSecond: spread(all.map((round) => round.perSecond)),
      p50Ms: middle((round) => round.p50Ms),
      p99Ms: middle((round) => round.p99Ms),
      clientMicros: middle((round) => round.clientMicros),
      serverMicros: all.some((round) => round.serverMicros === undefined)
        ? undefined
        : middle((round) => round.serverMicros ?? 0),
      oursOverThis: ratio(ours, all.map(compared)),
    }
  })
  return { figure, title, callers, compares, figures, contenders }
}

/** Of several contenders, the round of the one that did best, round by round. */
function bestRounds(
  contenders: readonly (readonly Round[])[],
  compared: (round: Round) => number,
  lessIsBetter: boolean,
): Round[] {
  const better = (one: Round, two: Round) => compared(one) < compared(two) === lessIsBetter
  return contenders.reduce<Round[]>(
    (best, all) =>
      all.map((round, at) => {
        const before = best[at]
        return before === undefined || better(round, before) ? round : before
      }),
    [],
  )
}

/** The line that tools read: each figure is ours over the first peer, or over the one it names; or a number of ours. */
export function jsonLine({
  suite,
  scenarios,
  measures = [],
}: Pick<SuiteResult, 'suite' | 'scenarios'> & Partial<Pick<SuiteResult, 'measures'>>): string {
  const rounded = (value: number) => Math.round(value * 1000) / 1000
  const all = scenarios.flatMap(({ figure, figures, contenders }) => {
    const over = (peer: ContenderResult | undefined) =>
      rounded(peer?.oursOverThis.median ?? Number.NaN)
    const named = Object.entries(figures).map(
      ([name, peer]) => [name, over(contenders.find((one) => one.name === peer))] as const,
    )
    return [[figure, over(contenders[1])] as const, ...named]
  })
  const numbers = measures.map(({ figure, value }) => [figure, rounded(value.median)] as const)
  return JSON.stringify({ suite, figures: Object.fromEntries([...all, ...numbers]) })
}
