import { type ChildProcess, spawn } from 'node:child_process'
import { setTimeout as later } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Database } from '@howdah/core'
import {
  type PostgresServer,
  startProxy,
  type TcpProxy,
  type TestDatabase,
  waitFor,
} from '@howdah/testkit'
import type pg from 'pg'
import { onTestFinished } from 'vitest'
import { Cache } from '../src/index.js'

/** What a bug in near caches would do. */
export type Mutation = 'none' | 'no fill guard' | 'no freshness'

/** What a reading process is to do. */
export interface ReaderOrder {
  readonly url: string
  readonly namespace: string
  readonly keys: readonly string[]
  readonly maxStale: number
  /** Where to listen; `null` to poll. */
  readonly listen: string | null
  readonly mutation: Mutation
}

/** What a reading process found, one column a field: when each read began in milliseconds, and -1 for a miss. */
export interface ReaderReport {
  readonly at: number[]
  readonly key: number[]
  readonly value: number[]
  readonly near: number[]
  readonly errors: string[]
}

/** From `at` on, a read of the key may answer no smaller value. */
interface Bound {
  readonly at: number
  readonly value: number
}

/** A process that reads, with the proxy it listens through. */
interface Reader {
  readonly child: ChildProcess
  readonly proxy: TcpProxy | undefined
  readonly warm: () => boolean
  readonly report: () => ReaderReport | undefined
  readonly output: () => string
}

/** What came out of a run. */
export interface Verdict {
  readonly reads: number
  /** Reads answered from memory, of all. */
  readonly hitRatio: number
  /** Reads that missed a write acknowledged more than `maxStale` before they began. */
  readonly violations: number
  /** The most that one of them lay behind, in milliseconds beyond `maxStale`. */
  readonly worst: number
}

const MAX_STALE_MS = 500
/** Between two bursts. Each key rests for twelve times as long. */
const PAUSE_MS = 60
/** The clock of all processes on the machine, in milliseconds. */
const clock = () => Number(process.hrtime.bigint()) / 1e6

/**
 * Three processes that read through near caches, and one that writes: each key gets a burst of writes, a few milliseconds apart, and then
 * rests for longer than `maxStale`. Values only grow.
 */
export class Chaos {
  readonly #server: PostgresServer
  readonly #pool: pg.Pool
  readonly #db: Database
  readonly #cache: Cache
  readonly #namespace: string
  readonly #keys: readonly string[] = Array.from({ length: 12 }, (_, at) => `key ${at}`)
  readonly #bounds: Bound[][] = this.#keys.map(() => [])
  readonly #readers: Reader[] = []
  #last = 0
  #bursts = 0
  #writing: Promise<void> | undefined
  #stopped = false

  constructor(server: PostgresServer, database: TestDatabase, namespace: string) {
    this.#server = server
    this.#pool = database.pool({ max: 4 })
    this.#db = Database.from(this.#pool)
    this.#namespace = namespace
    this.#cache = new Cache({ pool: this.#pool, namespace })
  }

  /** Starts writer and readers, and waits until each reader is answered from memory. */
  async start(url: string, mutation: Mutation, polls: number): Promise<void> {
    for (let at = 0; at < 3; at++) await this.#startReader(url, mutation, at < polls)
    this.#writing = this.#write()
    await waitFor(() => this.#readers.every(({ warm }) => warm()), {
      timeout: '20s',
      message: 'every reader is warm',
    })
  }

  /** Waits until so many keys have been written to. */
  async bursts(count: number): Promise<void> {
    const until = this.#bursts + count
    await waitFor(() => this.#bursts >= until, { timeout: '30s', message: 'the writer goes on' })
  }

  get proxies(): TcpProxy[] {
    return this.#readers.flatMap(({ proxy }) => proxy ?? [])
  }

  /** Ends the connections that listen, as an administrator may. */
  async killListeners(): Promise<void> {
    await this.#server.terminateBackends({ applicationName: 'howdah' })
  }

  /** Crashes the server; whatever was in the cache is gone. */
  async crash(): Promise<void> {
    await this.#server.kill()
    this.#bound(
      this.#keys.map((_, at) => at),
      this.#last + 1,
    )
    await this.#server.start()
  }

  /** Ends the run and judges it. */
  async end(): Promise<Verdict> {
    this.#stopped = true
    await this.#writing
    for (const { child } of this.#readers) child.send('stop')
    for (const { report, output } of this.#readers) {
      await waitFor(report, { timeout: '20s', message: `a report; it wrote: ${output()}` })
    }
    await this.#cache.close()
    await this.#db.close()
    await this.#pool.end()
    for (const proxy of this.proxies) await proxy.close()
    return this.#judge(this.#readers.map(({ report }) => report() as ReaderReport))
  }

  async #startReader(url: string, mutation: Mutation, polls: boolean): Promise<void> {
    const proxy = polls
      ? undefined
      : await startProxy({ host: '127.0.0.1', port: this.#server.port })
    const order: ReaderOrder = {
      url,
      namespace: this.#namespace,
      keys: this.#keys,
      maxStale: MAX_STALE_MS,
      listen: proxy?.url(url) ?? null,
      mutation,
    }
    const file = fileURLToPath(new URL('./fixtures/chaos-reader.ts', import.meta.url))
    const child = spawn(process.execPath, ['--import', 'tsx', file, JSON.stringify(order)], {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      serialization: 'advanced',
    })
    onTestFinished(async () => {
      child.kill('SIGKILL')
      await proxy?.close()
    })
    let output = ''
    for (const stream of [child.stdout, child.stderr])
      stream?.on('data', (data) => (output += data))
    let warm = false
    let report: ReaderReport | undefined
    child.on('message', (message) => {
      if (message === 'warm') warm = true
      else report = message as ReaderReport
    })
    this.#readers.push({
      child,
      proxy,
      warm: () => warm,
      report: () => report,
      output: () => output,
    })
  }

  /** Never rejects: what fails while the server is away may or may not have been written, and binds nobody. */
  async #write(): Promise<void> {
    for (let turn = 0; !this.#stopped; turn++) {
      const at = turn % this.#keys.length
      for (let write = 0; write < 3; write++) {
        await this.#writeOnce(at).catch(() => later(20))
      }
      this.#bursts++
      await later(PAUSE_MS)
    }
  }

  async #writeOnce(at: number): Promise<void> {
    const value = ++this.#last
    const key = this.#keys[at] as string
    const tags = ['tag']
    if (value % 150 === 50) {
      await this.#cache.clear()
      await this.#restore(value)
    } else if (value % 120 === 30) {
      await this.#cache.invalidateTags(tags)
      await this.#restore(value)
    } else if (value % 90 === 3) {
      await this.#pool.query(
        `update howdah.cache_entry set value = $1 where key = $2 and value is not null
           and namespace = (select id from howdah.cache_namespace where name = $3)`,
        [`n${value}`, key, this.#namespace],
      )
    } else if (value % 13 === 5) {
      await this.#cache.delete(key)
      await this.#cache.add(key, value, { tags })
    } else if (value % 5 === 2) {
      await this.#db.transaction((tx) => this.#cache.set(key, value, { tags, client: tx }))
    } else {
      await this.#cache.set(key, value, { tags })
    }
    this.#bound([at], value)
  }

  /** Everything was removed. It is written again at once, for a key that is not there is no hit. */
  async #restore(value: number): Promise<void> {
    const all = this.#keys.map((_, index) => index)
    this.#bound(all, value)
    await this.#cache.setMany(
      this.#keys.map((key) => [key, value] as const),
      { tags: ['tag'] },
    )
  }

  #bound(keys: readonly number[], value: number): void {
    const at = clock()
    for (const key of keys) this.#bounds[key]?.push({ at, value })
  }

  #judge(reports: readonly ReaderReport[]): Verdict {
    let [reads, hits, violations, worst] = [0, 0, 0, 0]
    for (const { at, key, value, near } of reports) {
      reads += at.length
      const next = this.#keys.map(() => 0)
      for (const [index, began] of at.entries()) {
        hits += near[index] as number
        const of = key[index] as number
        const bounds = this.#bounds[of] as Bound[]
        while ((bounds[next[of] as number]?.at ?? Infinity) < began - MAX_STALE_MS)
          next[of] = (next[of] as number) + 1
        // Values grow, so the newest bound is the highest.
        const bound = bounds[(next[of] as number) - 1]
        const found = value[index] as number
        if (bound === undefined || found === -1 || found >= bound.value) continue
        violations++
        worst = Math.max(worst, began - MAX_STALE_MS - bound.at)
      }
    }
    return { reads, hitRatio: hits / reads, violations, worst }
  }
}
