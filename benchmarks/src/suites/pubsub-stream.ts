import { setTimeout as later } from 'node:timers/promises'
import { PubSub } from '@howdah/pubsub'
import type { Pool, PoolClient } from 'pg'
import { percentile } from '../measure/statistics.js'
import { startDurableRedis } from '../servers/redis.js'
import type { CallContender, Context, Measure, RunContender, Scenario } from '../suite.js'
import { Subscriber } from './pubsub-channel.js'
import { transports } from './pubsub-transports.js'

const PAYLOAD = 'x'.repeat(98)
const WRITERS = 16
const ROUND_MS = 2_000

/** Streams: durable appends against Redis Streams that are as durable, and what an append costs who writes anyway. */
export async function streamScenarios(context: Context): Promise<Scenario[]> {
  return [...(await appending(context)), await writersOverhead(context)]
}

async function appending(context: Context): Promise<Scenario[]> {
  const redis = context.redis === undefined ? undefined : await startDurableRedis()
  if (redis === undefined) return []
  context.onEnd(() => redis.close())
  const pubsub = new PubSub({ pool: context.pool() })
  context.onEnd(() => pubsub.close())
  const stream = pubsub.stream<string>('append')
  const xadd = (name: string, enableAutoPipelining: boolean): CallContender => {
    const client = redis.client({ enableAutoPipelining })
    return { name, call: async () => void (await client.xadd(name, '*', 'payload', PAYLOAD)) }
  }
  return [
    {
      figure: 'stream_append64_vs_redis_xadd_aof',
      title:
        'Appending a message of 100 bytes that is on disk when the call answers; Redis with appendfsync always',
      callers: 64,
      ours: { name: '@howdah/pubsub', call: async () => void (await stream.append(PAYLOAD)) },
      peers: [xadd('ioredis, auto-pipelined', true), xadd('ioredis', false)],
      best: {
        name: 'the faster Redis client of each round',
        peers: ['ioredis, auto-pipelined', 'ioredis'],
      },
    },
  ]
}

async function writersOverhead(context: Context): Promise<Scenario> {
  const pool = context.pool({ max: WRITERS + 4 })
  let reader: Subscriber | undefined
  for (const statement of TABLES) await pool.query(statement)
  const pubsub = new PubSub({ pool })
  context.onEnd(async () => {
    reader?.end()
    await pubsub.close()
  })
  const stream = pubsub.stream<string>('written')
  await stream.append(PAYLOAD)
  const append = async (client: PoolClient) => {
    await stream.append(PAYLOAD, { client })
  }
  return {
    figure: 'writers_overhead',
    title: `${WRITERS} writers of transactions like those of pgbench (three updates, a select, an insert) that also append a message, while another process reads the stream, over the same without`,
    callers: WRITERS,
    ours: {
      ...writing('with an append', pool, append),
      async prepare() {
        const { databaseUrl, redisUrl } = context
        reader ??= await Subscriber.start(
          JSON.stringify({ databaseUrl, redisUrl, transport: 'a stream of @howdah/pubsub' }),
        )
        await reader.order({ kind: 'subscribe', channel: stream.name })
      },
      finish: async () => reader?.order({ kind: 'unsubscribe' }),
    },
    peers: [writing('without', pool, async () => {})],
  }
}

const ACCOUNTS = 100_000
const TELLERS = 400
const BRANCHES = 40

/** What pgbench calls TPC-B-like, with so many branches that its writers seldom wait for each other. */
const TABLES = [
  'create table account (id integer primary key, branch integer, balance bigint not null default 0) with (fillfactor = 90)',
  'create table teller (id integer primary key, balance bigint not null default 0) with (fillfactor = 50)',
  'create table branch (id integer primary key, balance bigint not null default 0) with (fillfactor = 50)',
  'create table history (account integer, teller integer, branch integer, delta integer, at timestamptz)',
  `insert into account (id) select * from generate_series(1, ${ACCOUNTS})`,
  `insert into teller (id) select * from generate_series(1, ${TELLERS})`,
  `insert into branch (id) select * from generate_series(1, ${BRANCHES})`,
]

async function transfer(client: PoolClient): Promise<void> {
  const [account, teller, branch] = [pick(ACCOUNTS), pick(TELLERS), pick(BRANCHES)]
  const delta = pick(10_000) - 5_000
  const run = (name: string, text: string, values: number[]) => client.query({ name, text, values })
  await run('account', 'update account set balance = balance + $1 where id = $2', [delta, account])
  await run('balance', 'select balance from account where id = $1', [account])
  await run('teller', 'update teller set balance = balance + $1 where id = $2', [delta, teller])
  await run('branch', 'update branch set balance = balance + $1 where id = $2', [delta, branch])
  await run('history', 'insert into history values ($1, $2, $3, $4, now())', [
    account,
    teller,
    branch,
    delta,
  ])
}

function pick(below: number): number {
  return 1 + Math.floor(Math.random() * below)
}

function writing(
  name: string,
  pool: Pool,
  more: (client: PoolClient) => Promise<void>,
): RunContender {
  return {
    name,
    async run() {
      const latencies: number[] = []
      const end = performance.now() + ROUND_MS
      const writer = async () => {
        const client = await pool.connect()
        try {
          for (let before = performance.now(); before < end; ) {
            await client.query('begin')
            await transfer(client)
            await more(client)
            await client.query('commit')
            const after = performance.now()
            latencies.push(after - before)
            before = after
          }
        } finally {
          client.release()
        }
      }
      await Promise.all(Array.from({ length: WRITERS }, writer))
      return { count: latencies.length, latencies }
    },
  }
}

/** Numbers that compare with nobody. */
export function streamMeasures(context: Context): Measure[] {
  return [batches(context), endToEnd(context)]
}

const BATCH = 1000
const CALLERS = 4

function batches(context: Context): Measure {
  const rows = context.quick ? 20_000 : 100_000
  const pubsub = new PubSub({ pool: context.pool() })
  context.onEnd(() => pubsub.close())
  let round = 0
  return {
    figure: 'stream_batch_rows_per_s',
    title: `Messages of 100 bytes appended by the thousand, ${CALLERS} callers, until all are in order`,
    unit: '/s',
    async run() {
      const stream = pubsub.stream<string>(`batches-${++round}`)
      const messages = Array.from({ length: BATCH }, () => ({ payload: PAYLOAD }))
      let left = rows
      const caller = async () => {
        while (left > 0) {
          left -= BATCH
          await stream.appendMany(messages)
        }
      }
      const start = performance.now()
      await Promise.all(Array.from({ length: CALLERS }, caller))
      const { head } = await stream.read({ after: 'latest' })
      return head / ((performance.now() - start) / 1000)
    },
  }
}

const EVERY_MS = 2

function endToEnd({ databaseUrl, redisUrl, quick }: Context): Measure {
  const count = quick ? 500 : 2_000
  const name = 'a stream of @howdah/pubsub'
  let round = 0
  return {
    figure: 'stream_e2e_p50_ms',
    title:
      '500 messages of 100 bytes a second from one process to another: from append() to the listener',
    unit: 'ms',
    async run() {
      const subscriber = await Subscriber.start(
        JSON.stringify({ databaseUrl, redisUrl, transport: name }),
      )
      const transport = await transports[name]({ databaseUrl, redisUrl })
      const channel = `latency-${++round}`
      await subscriber.order({ kind: 'subscribe', channel })
      const arrived = await subscriber.expect(count, true)
      const start = performance.now()
      for (let at = 0; at < count; at++) {
        const due = start + at * EVERY_MS
        if (due > performance.now()) await later(due - performance.now())
        void transport.publish(channel, `${process.hrtime.bigint()} `.padEnd(100, 'x'))
      }
      const sorted = Float64Array.from(await arrived.all).sort()
      await transport.close()
      subscriber.end()
      return percentile(sorted, 0.5)
    },
  }
}
