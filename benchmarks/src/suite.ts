import type { Redis } from 'ioredis'
import type { Client, ClientConfig, Pool, PoolConfig } from 'pg'

/** One way to do the work of a scenario. */
export interface Contender {
  readonly name: string
  /** Does one operation and checks its answer. `at` counts up over all callers, so contenders can work on equal keys. */
  call(at: number): Promise<void>
}

/** One figure: ours against peers that do the same work. */
export interface Scenario {
  /** Name of the figure: throughput of `ours` over that of the first peer, round by round. */
  readonly figure: string
  readonly title: string
  /** How many callers wait for an answer at the same time. */
  readonly callers: number
  readonly ours: Contender
  /** The first is what the figure compares with; the others are for information. */
  readonly peers: readonly [Contender, ...Contender[]]
  /** Further figures, each with the name of the peer it compares with. */
  readonly figures?: Readonly<Record<string, string>> | undefined
  /** What is divided, ours by theirs: operations per second, or the middle latency, where less is better. @defaultValue `'throughput'` */
  readonly compares?: 'throughput' | 'latency' | undefined
}

/** What a suite is given to set up its scenarios. */
export interface Context {
  /** Makes a pool on the benchmark's database; it is ended after the suite. */
  pool(options?: PoolConfig): Pool
  /** Makes a connection outside any pool; it is ended after the suite. */
  connect(options?: ClientConfig): Promise<Client>
  /** Makes a connection to Redis, where there is one; it is ended after the suite. */
  redis?: ((options: { enableAutoPipelining: boolean }) => Redis) | undefined
  /** Where Redis is, for clients other than ioredis. */
  readonly redisUrl?: string | undefined
  /** Where the benchmark's database is, for libraries that make their own pool. */
  readonly databaseUrl: string
  /** Calls back after the suite, before its servers stop. */
  onEnd(close: () => Promise<unknown>): void
}

/** A set of scenarios that share their data. Add a file in `suites/` and name it in `suites/index.ts`. */
export interface Suite {
  readonly name: string
  setup(context: Context): Promise<readonly Scenario[]>
}
