import type { Arguments } from './arguments.js'
import { fitQuick, interleave } from './measure/rounds.js'
import { spread } from './measure/statistics.js'
import {
  type MeasureResult,
  type ScenarioResult,
  type SuiteResult,
  summarize,
} from './report/results.js'
import { describeMachine, load } from './servers/machine.js'
import { startPostgresUnderTest } from './servers/postgres.js'
import { startRedisUnderTest } from './servers/redis.js'
import type { Context, Suite } from './suite.js'

/** Starts the servers, measures every scenario of a suite, and stops what it started. */
export async function runSuite(
  suite: Suite,
  args: Arguments,
  progress: (line: string) => void,
): Promise<SuiteResult> {
  const loadBefore = load()
  const postgres = await startPostgresUnderTest()
  const redis = await startRedisUnderTest()
  const serverCpu = async () => {
    const seconds = postgres.cpuSeconds()
    return seconds === undefined ? undefined : seconds + ((await redis?.cpuSeconds()) ?? 0)
  }
  const ends: (() => Promise<unknown>)[] = []
  const missing =
    redis === undefined ? ['peers on Redis: install redis-server or set REDIS_URL to see them'] : []
  try {
    const context: Context = {
      quick: args.quick,
      pool: postgres.pool,
      connect: postgres.connect,
      databaseUrl: postgres.url,
      redis: redis?.client,
      redisUrl: redis?.url,
      progress,
      missing: (what) => missing.push(what),
      onEnd: (close) => ends.push(close),
    }
    const all = await suite.setup(context)
    const scenarios = all.filter(({ figure, figures = {} }) =>
      [figure, ...Object.keys(figures)].some((name) => name.includes(args.only)),
    )
    const contenderCount = scenarios.reduce((sum, { peers }) => sum + 1 + peers.length, 0)
    const timing = args.quick ? fitQuick(args, contenderCount) : args
    const results: ScenarioResult[] = []
    for (const scenario of scenarios) {
      progress(`${scenario.figure}: ${scenario.peers.length + 1} contenders`)
      const contenders = [scenario.ours, ...scenario.peers]
      const rounds = await interleave(
        contenders,
        { ...timing, callers: scenario.callers },
        serverCpu,
      )
      results.push(summarize(scenario, rounds))
    }
    const measures: MeasureResult[] = []
    for (const measure of (await suite.measures?.(context)) ?? []) {
      if (!measure.figure.includes(args.only)) continue
      progress(measure.figure)
      const values: number[] = []
      for (let round = 0; round <= args.rounds; round++) values.push(await measure.run())
      const { figure, title, unit } = measure
      measures.push({ figure, title, unit, value: spread(values.slice(1)) })
    }
    return {
      suite: suite.name,
      quick: args.quick,
      rounds: args.rounds,
      roundMs: timing.roundMs,
      machine: describeMachine(),
      loadBefore,
      loadAfter: load(),
      postgres: { version: postgres.version, settings: postgres.settings },
      redis: redis && { version: redis.version, persistence: redis.persistence },
      missing,
      scenarios: results,
      measures,
    }
  } finally {
    for (const end of ends.reverse()) await end()
    await redis?.close()
    await postgres.close()
  }
}
