import type { Round } from '../measure/rounds.js'
import { ratio, type Spread, spread } from '../measure/statistics.js'
import type { Machine } from '../servers/machine.js'
import type { Scenario } from '../suite.js'

export interface ContenderResult {
  readonly name: string
  readonly perSecond: Spread
  readonly p50Ms: number
  readonly p99Ms: number
  readonly clientMicros: number
  readonly serverMicros: number | undefined
  /** Throughput of ours over this one, round by round. */
  readonly oursOverThis: Spread
}

export interface ScenarioResult {
  readonly figure: string
  readonly title: string
  readonly callers: number
  /** Ours first, then the peers in their order. */
  readonly contenders: readonly ContenderResult[]
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
}

/** Sums up the rounds of a scenario, given in the order ours, peers. */
export function summarize(scenario: Scenario, rounds: readonly Round[][]): ScenarioResult {
  const ours = (rounds[0] ?? []).map(({ perSecond }) => perSecond)
  const contenders = [scenario.ours, ...scenario.peers].map(({ name }, at) => {
    const all = rounds[at] ?? []
    const middle = (pick: (round: Round) => number) => spread(all.map(pick)).median
    const perSecond = all.map((round) => round.perSecond)
    return {
      name,
      perSecond: spread(perSecond),
      p50Ms: middle((round) => round.p50Ms),
      p99Ms: middle((round) => round.p99Ms),
      clientMicros: middle((round) => round.clientMicros),
      serverMicros: all.some((round) => round.serverMicros === undefined)
        ? undefined
        : middle((round) => round.serverMicros ?? 0),
      oursOverThis: ratio(ours, perSecond),
    }
  })
  const { figure, title, callers } = scenario
  return { figure, title, callers, contenders }
}

/** The line that tools read: each figure is ours over the first peer. */
export function jsonLine({ suite, scenarios }: Pick<SuiteResult, 'suite' | 'scenarios'>): string {
  const figures = scenarios.map(({ figure, contenders }) => {
    const median = contenders[1]?.oursOverThis.median ?? Number.NaN
    return [figure, Math.round(median * 1000) / 1000] as const
  })
  return JSON.stringify({ suite, figures: Object.fromEntries(figures) })
}
