import type { Context, Scenario, Suite } from '../suite.js'
import {
  addingBulk,
  addingOne,
  draining,
  fill,
  howdahQueue,
  PAYLOAD,
  waiting,
} from './queue-contenders.js'
import { bullPostgres, bullRedis, graphile, pgBoss } from './queue-peers.js'
import { againstPgmq } from './queue-pgmq.js'
import { writersOverhead } from './queue-writers.js'

/** The queue against what people run jobs with, each with the places and batches that were its best in trials. */
export const queue: Suite = {
  name: 'queue',
  async setup(context) {
    if (context.redis === undefined || context.redisUrl === undefined) {
      return withoutRedis(context)
    }
    return [...(await againstRedis(context, context.redisUrl)), ...(await withoutRedis(context))]
  },
}

async function withoutRedis(context: Context): Promise<Scenario[]> {
  return [
    ...(await againstPostgres(context)),
    await writersOverhead(context),
    ...(await againstPgmq(context)),
  ]
}

async function againstRedis(context: Context, redisUrl: string): Promise<Scenario[]> {
  const scale = context.quick ? 0.2 : 1
  const bull = (name: string) => bullRedis(context, redisUrl, name)
  const ours = (name: string) => howdahQueue(context, name)
  const latency = (figure: string, compares: 'latency' | 'latency_p99'): Scenario => ({
    figure,
    title: 'A job each 50 ms, 200 bytes: from add() to the start of the handler',
    callers: 1,
    compares,
    ours: waiting(ours(figure), 120 * scale),
    peers: [waiting(bull(figure), 120 * scale)],
  })
  return [
    {
      figure: 'drain_vs_bullmq_redis',
      title: 'Draining a queue of jobs of 200 bytes, a handler that does nothing',
      callers: 1,
      ours: draining(ours('drain-redis'), 50_000 * scale, 500),
      peers: [draining(bull('drain'), 20_000 * scale, 200)],
    },
    {
      figure: 'addmany_vs_bullmq_bulk',
      title: 'Adding a hundred jobs of 200 bytes with one call',
      callers: 4,
      ours: addingBulk(ours('bulk-redis')),
      peers: [addingBulk(bull('bulk'))],
    },
    {
      figure: 'add64_vs_bullmq_redis',
      title: 'Adding one job of 200 bytes',
      callers: 64,
      ours: addingOne(ours('add')),
      peers: [addingOne(bull('add'))],
    },
    latency('latency_p50_vs_bullmq_redis', 'latency'),
    latency('latency_p99_vs_bullmq_redis', 'latency_p99'),
  ]
}

async function againstPostgres(context: Context): Promise<Scenario[]> {
  const scale = context.quick ? 0.2 : 1
  const boss = await pgBoss(context, 'boss')
  const fastest = await graphile(context, 'fastest', true)
  const plain = await graphile(context, 'plain', false)
  const bull = bullPostgres(context, 'drain-pg')
  // Their tables are there before the clock starts.
  for (const each of [boss, fastest, plain, bull]) await fill(each, 10)
  const bossBulk = await pgBoss(context, 'boss-bulk')
  await bossBulk.add(PAYLOAD)
  return [
    {
      figure: 'drain_vs_graphile_fastest',
      title: 'Draining a queue of jobs of 200 bytes, a handler that does nothing',
      callers: 1,
      ours: draining(howdahQueue(context, 'drain-pg'), 50_000 * scale, 500),
      peers: [
        draining(fastest, 40_000 * scale, 24),
        draining(plain, 2_000 * scale, 10),
        draining(boss, 20_000 * scale, 4_000),
        draining(bull, 2_000 * scale, 30),
      ],
      figures: {
        drain_vs_pgboss: 'pg-boss, 4000 places',
        drain_vs_bullmq_pg: 'BullMQ on PostgreSQL, 30 places',
      },
    },
    {
      figure: 'addmany_vs_pgboss_insert',
      title: 'Adding a hundred jobs of 200 bytes with one call',
      callers: 4,
      ours: addingBulk(howdahQueue(context, 'bulk-pg')),
      peers: [addingBulk(bossBulk)],
    },
  ]
}
