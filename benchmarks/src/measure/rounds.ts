import type { CallContender, Contender } from '../suite.js'
import { percentile } from './statistics.js'

/** Reads how many seconds of CPU a server has used so far; `undefined` where that cannot be seen. */
export type ServerCpu = () => Promise<number | undefined>

/** What one contender did in one round. */
export interface Round {
  readonly perSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  /** Microseconds of CPU for one operation in this process. */
  readonly clientMicros: number
  /** Microseconds of CPU for one operation in all servers; `undefined` where they run elsewhere. */
  readonly serverMicros: number | undefined
}

export interface Plan {
  readonly rounds: number
  readonly roundMs: number
  readonly warmUpMs: number
  readonly callers: number
}

/** What a quick run may spend on measuring; starting servers and filling tables takes the rest of its minute. */
const QUICK_BUDGET_MS = 30_000

/** Shortens the rounds of a quick run until all contenders fit into its time. */
export function fitQuick(
  { rounds, roundMs }: Pick<Plan, 'rounds' | 'roundMs'>,
  contenders: number,
): Pick<Plan, 'rounds' | 'roundMs' | 'warmUpMs'> {
  // Half a round to warm up.
  const longest = Math.floor(QUICK_BUDGET_MS / (contenders * (rounds + 0.5)))
  const fitted = Math.max(1, Math.min(roundMs, longest))
  return { rounds, roundMs: fitted, warmUpMs: Math.ceil(fitted / 2) }
}

/** Measures the contenders in turns (A B C A B C ...), after a warm-up of each, and answers the rounds of each. */
export async function interleave(
  contenders: readonly Contender[],
  plan: Plan,
  serverCpu: ServerCpu,
  measure: typeof measureRound = measureRound,
): Promise<Round[][]> {
  for (const contender of contenders) {
    await measure(contender, plan.callers, plan.warmUpMs, serverCpu)
  }
  const results: Round[][] = contenders.map(() => [])
  for (let round = 0; round < plan.rounds; round++) {
    for (const [at, contender] of contenders.entries()) {
      results[at]?.push(await measure(contender, plan.callers, plan.roundMs, serverCpu))
    }
  }
  return results
}

/** Keeps `callers` operations under way for `ms` milliseconds; or lets the contender do its own piece of work. */
export async function measureRound(
  contender: Contender,
  callers: number,
  ms: number,
  serverCpu: ServerCpu,
): Promise<Round> {
  if (!('run' in contender)) return timed(() => callFor(contender, callers, ms), serverCpu)
  await contender.prepare?.()
  try {
    return await timed(() => contender.run(), serverCpu)
  } finally {
    await contender.finish?.()
  }
}

interface Work {
  readonly count: number
  readonly latencies?: readonly number[]
}

async function callFor(contender: CallContender, callers: number, ms: number): Promise<Work> {
  const latencies: number[] = []
  const end = performance.now() + ms
  let at = 0
  const caller = async () => {
    for (let before = performance.now(); before < end; ) {
      await contender.call(at++)
      const after = performance.now()
      latencies.push(after - before)
      before = after
    }
  }
  await Promise.all(Array.from({ length: callers }, caller))
  return { count: latencies.length, latencies }
}

async function timed(work: () => Promise<Work>, serverCpu: ServerCpu): Promise<Round> {
  const serverBefore = await serverCpu()
  const clientBefore = process.cpuUsage()
  const start = performance.now()
  const { count, latencies = [] } = await work()
  const seconds = (performance.now() - start) / 1000
  const client = process.cpuUsage(clientBefore)
  const serverAfter = await serverCpu()
  const sorted = Float64Array.from(latencies).sort()
  return {
    perSecond: count / seconds,
    p50Ms: sorted.length === 0 ? Number.NaN : percentile(sorted, 0.5),
    p99Ms: sorted.length === 0 ? Number.NaN : percentile(sorted, 0.99),
    clientMicros: (client.user + client.system) / count,
    serverMicros:
      serverBefore === undefined || serverAfter === undefined
        ? undefined
        : ((serverAfter - serverBefore) * 1e6) / count,
  }
}
