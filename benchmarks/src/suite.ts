import type { Redis } from 'ioredis'
import type { Client, ClientConfig, Pool, PoolConfig } from 'pg'

/** One way to do the work of a scenario. */
export type Contender = CallContender | RunContender

/** A contender of which many callers ask one operation after another, for the time of a round. */
export interface CallContender {
  readonly name: string
  /** Does one operation and checks its answer. `at` counts up over all callers, so contenders can work on equal keys. */
  call(at: number): Promise<void>
}

/** A contender that does a piece of work of its own size in each round: a queue that is filled, and then drained. */
export interface RunContender {
  readonly name: string
  /** What comes before the clock starts. */
  prepare?(): Promise<void>
  /** Does the work and says how many operations it was, and how long single ones took, where that means something. */
  run(): Promise<{ readonly count: number; readonly latencies?: readonly number[] }>
  /** What comes after the clock has stopped. */
  finish?(): Promise<void>
}

/**
 * What a figure compares; `latency` is the middle one, `latency_p99` that which one in a hundred exceeds, and `speed` the middle latency turned
 * over, so that more is better.
 */
export type Compared = 'throughput' | 'latency' | 'latency_p99' | 'speed'

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
  /**
   * Peers of one kind that the figure compares with together: in each round with the one that did best. They come before the others in the
   * report, as one more row.
   */
  readonly best?: { readonly name: string; readonly peers: readonly string[] } | undefined
  /** What is divided, ours by theirs: operations per second, or a latency, where less is better. @defaultValue `'throughput'` */
  readonly compares?: Compared | undefined
}

/** What a suite is given to set up its scenarios. */
export interface Context {
  /** A short run: work of a fixed size should be a fraction of what it is else. */
  readonly quick: boolean
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
  /** Says what a long preparation is at. */
  progress(line: string): void
  /** Notes figures that this run cannot have, for the report. */
  missing(what: string): void
  /** Calls back after the suite, before its servers stop. */
  onEnd(close: () => Promise<unknown>): void
}

/** One figure that compares with nobody: a number of ours, in its unit. */
export interface Measure {
  readonly figure: string
  readonly title: string
  readonly unit: string
  /** Measures once and answers the number. It is run for a warm-up, and then once a round. */
  run(): Promise<number>
}

/** A set of scenarios that share their data. Add a file in `suites/` and name it in `suites/index.ts`. */
export interface Suite {
  readonly name: string
  setup(context: Context): Promise<readonly Scenario[]>
  /** What is measured beside the scenarios, after them. */
  measures?(context: Context): Promise<readonly Measure[]>
}
