import { sqlState } from '@howdah/core'
import { testDatabase, waitFor } from '@howdah/testkit'
import type pg from 'pg'
import { describe, expect, test } from 'vitest'
import type { Stream, StreamMessage } from '../src/index.js'
import { TwoProcesses } from './two-processes.js'

const bench = new TwoProcesses()
const WRITERS = 16
const COUNTERS = 40
/** The whole proof takes 100,000: `HOWDAH_STRESS=100000`. */
const MESSAGES = Number(process.env['HOWDAH_STRESS'] ?? 3_000)

/** What a message says: the counter `k` stood at `n` when it was written. */
interface Count {
  readonly k: number
  readonly n: number
}

type Isolation = 'read committed' | 'repeatable read' | 'serializable'

/**
 * Sixteen writers count in rows they lock, and write each count to two streams, now in one order and now in the other. Transactions take their
 * time, have savepoints that are rolled back, and one in seven rolls back whole.
 */
class Stress {
  readonly counters: string
  readonly names: readonly [string, string]
  readonly #isolation: Isolation
  readonly #pool = bench.database.pool({ max: WRITERS })
  readonly #wanted: number
  /** Messages that were committed. */
  written = 0
  over = false

  constructor(isolation: Isolation, messages: number) {
    this.#isolation = isolation
    this.counters = `counter_${bench.fresh().replace('-', '_')}`
    this.names = [bench.fresh(), bench.fresh()]
    this.#wanted = messages
  }

  async run(): Promise<void> {
    await bench.rows(`create table ${this.counters} (k integer primary key, n integer not null)`)
    await bench.rows(
      `insert into ${this.counters} select k, 0 from generate_series(1, ${COUNTERS}) k`,
    )
    await Promise.all(Array.from({ length: WRITERS }, () => this.#write()))
    this.over = true
  }

  async #write(): Promise<void> {
    const client = await this.#pool.connect()
    try {
      while (this.written < this.#wanted) this.written += await this.#transaction(client)
    } finally {
      client.release()
    }
  }

  async #transaction(client: pg.PoolClient): Promise<number> {
    await client.query(`begin isolation level ${this.#isolation}`)
    try {
      // In one order, for two that lock rows in opposite orders do deadlock.
      const rows = [random(COUNTERS), random(COUNTERS), random(COUNTERS)].slice(random(3))
      let written = 0
      for (const k of [...new Set(rows)].sort((a, b) => a - b)) {
        if (random(5) === 0) await this.#undone(client, k + 1)
        written += await this.#count(client, k + 1)
        if (random(4) === 0) await client.query(`select pg_sleep(${random(8) / 1000})`)
      }
      if (random(7) === 0) {
        await client.query('rollback')
        return 0
      }
      await client.query('commit')
      return written
    } catch (error) {
      await client.query('rollback')
      if (sqlState(error) === '40001') return 0
      throw error
    }
  }

  async #undone(client: pg.PoolClient, k: number): Promise<void> {
    await client.query('savepoint outer_one')
    await this.#count(client, k)
    await client.query('savepoint inner_one')
    await this.#count(client, k)
    await client.query('release savepoint inner_one')
    await client.query('rollback to savepoint outer_one')
  }

  async #count(client: pg.PoolClient, k: number): Promise<number> {
    const { rows } = await client.query(
      `update ${this.counters} set n = n + 1 where k = $1 returning n`,
      [k],
    )
    const [first, second] = random(2) === 0 ? this.names : this.names.toReversed()
    const payload = JSON.stringify({ k, n: rows[0].n })
    await client.query('select howdah.append($1, $2)', [first, payload])
    await client.query('select howdah.append($1, $2)', [second, payload])
    return 2
  }
}

/** Reads from a random time on, from the beginning or from then. */
class Follower {
  readonly heard: StreamMessage<Count>[] = []
  readonly #stream: Stream<Count>
  readonly #after: 'earliest' | 'latest'

  constructor(stream: Stream<Count>, after: 'earliest' | 'latest') {
    this.#stream = stream
    this.#after = after
  }

  async join(): Promise<void> {
    await this.#stream.subscribe((message) => this.heard.push(message), { after: this.#after })
  }

  /** It heard all there is, from its first message on, each once and in order. */
  async check(all: readonly StreamMessage<Count>[]): Promise<void> {
    await expect.poll(() => this.heard.at(-1)?.offset ?? 0).toBe(all.length)
    const first = this.#after === 'earliest' ? 1 : (this.heard[0]?.offset ?? all.length)
    expect(this.heard).toEqual(all.slice(first - 1))
  }
}

async function readAll(stream: Stream<Count>): Promise<StreamMessage<Count>[]> {
  const all: StreamMessage<Count>[] = []
  for (let after: string | number = 0; ; ) {
    const { messages, next, continuity } = await stream.read({ after, limit: 1000 })
    expect(continuity).toBe('ok')
    if (messages.length === 0) return all
    all.push(...messages)
    after = next
  }
}

async function prove(isolation: Isolation, messages: number): Promise<void> {
  const stress = new Stress(isolation, messages)
  const followers = stress.names.flatMap((name) =>
    (['earliest', 'latest', 'earliest'] as const).map(
      (after, n) => new Follower(bench.pubSub((n % 2) as 0 | 1).stream(name), after),
    ),
  )
  const running = stress.run()
  const joining = followers.map(async (follower) => {
    const at = random(messages)
    await waitFor(() => stress.written >= at || stress.over, { timeout: '1h' })
    await follower.join()
  })
  await Promise.all([running, ...joining])
  const counts = await bench.rows<Count>(`select k, n from ${stress.counters} order by k`)
  for (const [n, name] of stress.names.entries()) {
    const all = await readAll(bench.pubSub(1).stream<Count>(name))
    expect(all.map(({ offset }) => offset)).toEqual(all.map((_, at) => at + 1))
    for (const { k, n: total } of counts) {
      const own = all.filter(({ payload }) => payload.k === k).map(({ payload }) => payload.n)
      expect(own).toEqual(Array.from({ length: total }, (_, at) => at + 1))
    }
    expect(all.length).toBe(counts.reduce((sum, count) => sum + count.n, 0))
    for (const follower of followers.slice(n * 3, n * 3 + 3)) await follower.check(all)
  }
}

function random(below: number): number {
  return Math.floor(Math.random() * below)
}

describe('offsets keep to the order of commits, and readers miss nothing', () => {
  const budget = 60_000 + MESSAGES * 10
  test('of read committed writers', () => prove('read committed', MESSAGES), budget)
  test('of repeatable read writers', () => prove('repeatable read', MESSAGES / 4), budget)
  test('of serializable writers', () => prove('serializable', MESSAGES / 4), budget)

  test('while a transaction of another database of the server holds every snapshot back', async () => {
    const other = await testDatabase()
    const holder = await other.pool().connect()
    await holder.query('begin')
    await holder.query('create table held (id integer)')
    await prove('read committed', 400)
    await holder.query('rollback')
    holder.release()
    await other.close()
  }, 60_000)

  test('while one writer of the stream stays open: the others are read, and it comes in the end', async () => {
    const stream = bench.pubSub().stream<string>(bench.fresh())
    const slow = await bench.pools[1].connect()
    await slow.query('begin')
    await slow.query('select howdah.append($1, $2)', [stream.name, '"slow"'])
    const heard: string[] = []
    await stream.subscribe(({ payload }) => heard.push(payload))
    for (let n = 0; n < 20; n++) await stream.append(String(n))
    await expect.poll(() => heard.length).toBe(20)
    await slow.query('commit')
    slow.release()
    await expect.poll(() => heard.at(-1)).toBe('slow')
    expect(heard).toHaveLength(21)
  })
})
