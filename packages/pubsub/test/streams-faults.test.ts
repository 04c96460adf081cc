import { Database, type DatabaseOptions } from '@howdah/core'
import { type PostgresServer, startPostgres, startProxy, type TestDatabase } from '@howdah/testkit'
import type { PoolConfig } from 'pg'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { PubSub, type StreamSubscription } from '../src/index.js'

/** How long the longest outage takes; the whole proof takes 30 s. */
const OUTAGE_MS = Number(process.env['HOWDAH_OUTAGE'] ?? 3_000)

let server: PostgresServer
let database: TestDatabase
const closing: (() => Promise<unknown>)[] = []
let names = 0

beforeAll(async () => {
  server = await startPostgres()
  database = await server.createDatabase()
})
afterEach(async () => {
  await Promise.all(closing.splice(0).map((close) => close()))
})
afterAll(async () => {
  await database.close()
  await server.close()
})

function process_(config: PoolConfig = {}, options: DatabaseOptions = {}): PubSub {
  const pool = new pg.Pool({
    connectionString: database.url,
    connectionTimeoutMillis: 2_000,
    ...config,
  })
  pool.on('error', () => {})
  pool.on('connect', (client) => client.on('error', () => {}))
  const db = Database.from(pool, { hub: { liveness: '1s', reconnectMax: '200ms' }, ...options })
  const pubsub = new PubSub({ pool: db })
  closing.push(async () => {
    await pubsub.close()
    await db.close()
    await pool.end()
  })
  return pubsub
}

/** Appends numbers until it is told to stop: each is tried until it is acknowledged, however often that takes. */
class Writer {
  readonly #pubsub: PubSub
  readonly #name: string
  readonly #running: Promise<void>
  #over = false
  written = 0

  constructor(pubsub: PubSub, name: string) {
    this.#pubsub = pubsub
    this.#name = name
    this.#running = this.#run()
  }

  async stop(): Promise<number> {
    this.#over = true
    await this.#running
    return this.written
  }

  async #run(): Promise<void> {
    const stream = this.#pubsub.stream<number>(this.#name)
    while (!this.#over) {
      const n = this.written + 1
      try {
        await stream.append(n, { dedupKey: String(n) })
        this.written = n
      } catch {
        await new Promise((resolve) => setImmediate(resolve))
      }
    }
  }
}

/** Breaks something while numbers are written and read: the reader hears each once and in order. */
async function delivers(
  fail: (writer: Writer) => Promise<void>,
  reader = process_(),
): Promise<void> {
  const name = `faults-${++names}`
  const heard: number[] = []
  const subscription: StreamSubscription = await reader
    .stream<number>(name)
    .subscribe(({ payload }) => heard.push(payload), { after: 'earliest' })
  const writer = new Writer(process_(), name)
  const flows = async () => {
    const from = writer.written
    await expect.poll(() => writer.written, { timeout: 30_000 }).toBeGreaterThan(from + 20)
    const upTo = writer.written
    await expect.poll(() => heard.length, { timeout: 30_000 }).toBeGreaterThanOrEqual(upTo)
  }
  await flows()
  await fail(writer)
  await flows()
  const written = await writer.stop()
  await expect.poll(() => heard.length, { timeout: 30_000 }).toBe(written)
  expect(heard).toEqual(Array.from({ length: written }, (_, n) => n + 1))
  await subscription.close()
}

describe('a stream delivers everything once and in order across', () => {
  test('kill -9 of the server', async () => {
    await delivers(async () => {
      for (let n = 0; n < 3; n++) {
        await server.kill()
        await server.start()
      }
    })
  }, 120_000)

  test('a restart', () => delivers(() => server.restart()), 120_000)

  test('connections that are cut, again and again', async () => {
    await delivers(async (writer) => {
      for (let n = 0; n < 5; n++) {
        const from = writer.written
        await server.terminateBackends()
        await expect.poll(() => writer.written, { timeout: 30_000 }).toBeGreaterThan(from)
      }
    })
  }, 120_000)

  test('a network that freezes', async () => {
    await using proxy = await startProxy({ host: '127.0.0.1', port: server.port })
    const url = proxy.url(database.url)
    const reader = process_(
      { connectionString: url, query_timeout: 1_000 },
      { listen: url, hub: { liveness: '500ms' } },
    )
    await delivers(async () => {
      proxy.freeze()
      await expect
        .poll(
          () =>
            reader.stats().then(
              () => 'answers',
              () => 'silent',
            ),
          { timeout: 30_000 },
        )
        .toBe('silent')
      proxy.cut()
      proxy.thaw()
    }, reader)
    await closing.splice(0, 1)[0]?.()
  }, 120_000)

  test(
    'an outage of the network',
    async () => {
      await using proxy = await startProxy({ host: '127.0.0.1', port: server.port })
      const url = proxy.url(database.url)
      const reader = process_({ connectionString: url }, { listen: url })
      await delivers(async () => {
        const began = performance.now()
        await proxy.refuse()
        proxy.cut()
        await expect
          .poll(() => performance.now() - began, { timeout: OUTAGE_MS * 2 })
          .toBeGreaterThan(OUTAGE_MS)
        await proxy.accept()
      }, reader)
      await closing.splice(0, 1)[0]?.()
    },
    120_000 + OUTAGE_MS,
  )
})

test('appends go on while the notification queue of the server is full', async () => {
  // The least queue there is, filled while somebody listens in a transaction that never ends.
  await using small = await startPostgres({ settings: { max_notify_queue_pages: 64 } })
  const full = await small.createDatabase()
  const pool = new pg.Pool({ connectionString: full.url })
  const idle = await pool.connect()
  await idle.query('listen nobody_reads')
  await idle.query('begin')
  await idle.query('select 1')
  const filler = `select pg_notify('nobody_reads', repeat('x', 7900) || n) from generate_series(1, 200) n`
  const fill = async () => {
    for (let n = 0; n < 100; n++) await pool.query(filler)
  }
  await expect(fill()).rejects.toMatchObject({ code: '54000' })
  const pubsub = new PubSub({ pool })
  const stream = pubsub.stream<number>('full')
  await expect(pubsub.channel('c').publish(1)).rejects.toThrow()
  for (let n = 1; n <= 20; n++) await stream.append(n)
  const { messages } = await stream.read()
  expect(messages.map(({ payload }) => payload)).toEqual(
    Array.from({ length: 20 }, (_, n) => n + 1),
  )
  expect((await pubsub.stats()).notificationQueueUsage).toBeGreaterThan(0.9)
  // A reader of another process hears of them too: it looks by itself.
  const other = new pg.Pool({ connectionString: full.url })
  const reader = new PubSub({ pool: other })
  const heard: number[] = []
  await reader.stream<number>('full').subscribe(({ payload }) => heard.push(payload))
  await stream.append(21)
  await expect.poll(() => heard, { timeout: 20_000 }).toEqual([21])
  await idle.query('commit')
  idle.release()
  await reader.close()
  await pubsub.close()
  await Promise.all([pool, other].map((each) => Database.from(each).close()))
  await Promise.all([pool.end(), other.end()])
  await full.close()
}, 60_000)
