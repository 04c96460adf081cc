import { setTimeout as later, setImmediate as turn } from 'node:timers/promises'
import { Cache } from '@howdah/cache'
import type { Contender, Context, Scenario, Suite } from '../suite.js'
import {
  bentoMemory,
  bentoRedis,
  ioredis,
  keyvOnPostgres,
  keyvOnRedis,
  nodeRedis,
  type Store,
} from './cache-peers.js'
import { ROWS, randomKeys } from './entries.js'

const SMALL = 'v'.repeat(100)
const LARGE = 'v'.repeat(1000)
const NEAR_KEYS = 10_000

/** Answers from memory never leave the microtasks, where no server can be heard: an application does that between requests. */
const CALLS_IN_A_TURN = 1000

const keyAt = randomKeys('entry:', ROWS)
const largeKeyAt = randomKeys('large:', ROWS)
const nearKeyAt = randomKeys('entry:', NEAR_KEYS)

/** The cache against what people cache with. */
export const cache: Suite = {
  name: 'cache',
  async setup(context) {
    const ours = storeOf('@howdah/cache', openCache(context))
    const scenarios = [...(await againstPostgres(context, ours)), await near(context)]
    if (context.redis === undefined || context.redisUrl === undefined) return scenarios
    return [...(await againstRedis(context, context.redis, context.redisUrl, ours)), ...scenarios]
  },
}

async function againstRedis(
  context: Context,
  redis: NonNullable<Context['redis']>,
  url: string,
  ours: Store,
): Promise<Scenario[]> {
  const plain = ioredis('ioredis', redis({ enableAutoPipelining: false }))
  const auto = ioredis('ioredis, auto-pipelining', redis({ enableAutoPipelining: true }))
  const node = await nodeRedis(context, url)
  const keyv = keyvOnRedis(context, url)
  const bento = bentoRedis(context, url)
  for (const store of [ours, auto]) await fill(store, 'large:', ROWS, LARGE)
  for (const store of [auto, keyv, bento]) await fill(store, 'entry:', ROWS, SMALL)
  const gets = (figure: string, callers: number, peers: [Store, ...Store[]]) =>
    scenario(figure, 'A value of 100 bytes, one of 100,000', callers, ours, peers, gets100)
  const sets = (figure: string, callers: number, peers: [Store, ...Store[]]) =>
    scenario(
      figure,
      'Overwriting a value of 100 bytes, one of 100,000',
      callers,
      ours,
      peers,
      sets100,
    )
  const large = (figure: string, title: string, make: (store: Store) => Contender) =>
    scenario(figure, title, 64, ours, [auto], make)
  return [
    {
      ...gets('get64_vs_ioredis_autopipeline', 64, [auto, plain, node, keyv, bento]),
      figures: { get64_vs_ioredis: plain.name },
    },
    gets('get512_vs_ioredis_autopipeline', 512, [auto, plain, node, keyv]),
    sets('set64_vs_ioredis_autopipeline', 64, [auto, plain, node, keyv, bento]),
    sets('set512_vs_ioredis_autopipeline', 512, [auto]),
    large('get64_1kb_vs_ioredis_autopipeline', 'A value of 1,000 bytes, one of 100,000', gets1000),
    large('set64_1kb_vs_ioredis_autopipeline', 'Overwriting a value of 1,000 bytes', sets1000),
    { ...gets('get1_latency_vs_ioredis', 1, [plain, auto]), compares: 'latency' },
    ...[50, 200].map((count) =>
      scenario(
        `getmany${count}_vs_mget`,
        `${count} values of 100 bytes with one call`,
        8,
        ours,
        [auto],
        (store) => getsMany(store, count),
      ),
    ),
  ]
}

async function againstPostgres(context: Context, ours: Store): Promise<Scenario[]> {
  const keyv = keyvOnPostgres(context)
  for (const store of [ours, keyv]) await fill(store, 'entry:', ROWS, SMALL)
  return [
    scenario('get64_vs_keyv_postgres', 'A value of 100 bytes', 64, ours, [keyv], gets100),
    scenario('set64_vs_keyv_postgres', 'Overwriting one of 100 bytes', 64, ours, [keyv], sets100),
  ]
}

async function near(context: Context): Promise<Scenario> {
  const made = openCache(context, { near: { maxBytes: 64 * 1024 * 1024 } })
  const ours = storeOf('@howdah/cache, near', made)
  const peers: [Store, ...Store[]] = [bentoMemory(context, 2 * NEAR_KEYS)]
  if (context.redisUrl) peers.push(bentoMemory(context, 2 * NEAR_KEYS, context.redisUrl))
  for (const store of [ours, ...peers]) await fill(store, 'entry:', NEAR_KEYS, SMALL)
  await recall(made)
  return scenario(
    'near_get_vs_bentocache_memory',
    'A value of 100 bytes, one of 10,000, from the memory of the process',
    64,
    ours,
    peers,
    (store) => ({
      name: store.name,
      async call(at) {
        check(await store.get(nearKeyAt(at)), SMALL)
        if (at % CALLS_IN_A_TURN === 0) await turn()
      },
    }),
  )
}

/** Reads all keys until memory holds them: ours keeps what was read, and the peers what was written. */
async function recall(cache: Cache): Promise<void> {
  const keys = Array.from({ length: NEAR_KEYS }, (_, n) => `entry:${n}`)
  for (const deadline = performance.now() + 30_000; performance.now() < deadline; ) {
    await cache.getMany(keys)
    if ((await cache.stats()).near?.entries === NEAR_KEYS) return
    await later(20)
  }
  throw new Error('The near cache did not take the entries in.')
}

type OpenOptions = Omit<ConstructorParameters<typeof Cache>[0], 'pool'>

function openCache({ pool, onEnd }: Context, options: OpenOptions = {}): Cache {
  const made = new Cache({ pool: pool({ max: 10 }), ...options })
  onEnd(() => made.close())
  return made
}

function storeOf(name: string, cache: Cache): Store {
  return {
    name,
    get: (key) => cache.get(key),
    set: (key, value) => cache.set(key, value),
    async getMany(keys) {
      const found = await cache.getMany(keys)
      return keys.map((key) => found.get(key))
    },
  }
}

function scenario(
  figure: string,
  title: string,
  callers: number,
  ours: Store,
  [first, ...others]: [Store, ...Store[]],
  contender: (store: Store) => Contender,
): Scenario {
  const peers = [contender(first), ...others.map(contender)] as const
  return { figure, title, callers, ours: contender(ours), peers }
}

const gets100 = (store: Store) => getting(store, keyAt, SMALL)
const gets1000 = (store: Store) => getting(store, largeKeyAt, LARGE)
const sets100 = (store: Store) => setting(store, keyAt, SMALL)
const sets1000 = (store: Store) => setting(store, largeKeyAt, LARGE)

function getting(store: Store, key: (at: number) => string, value: string): Contender {
  return { name: store.name, call: async (at) => check(await store.get(key(at)), value) }
}

function setting(store: Store, key: (at: number) => string, value: string): Contender {
  return {
    name: store.name,
    async call(at) {
      await store.set(key(at), value)
    },
  }
}

function getsMany(store: Store, count: number): Contender {
  return {
    name: store.name,
    async call(at) {
      const keys = Array.from({ length: count }, (_, n) => keyAt(at * count + n))
      for (const value of (await store.getMany?.(keys)) ?? [undefined]) check(value, SMALL)
    },
  }
}

/** Writes every key once, many at a time. */
async function fill(store: Store, prefix: string, count: number, value: string): Promise<void> {
  for (let from = 0; from < count; from += 1000) {
    const keys = Array.from({ length: Math.min(1000, count - from) }, (_, n) => prefix + (from + n))
    await Promise.all(keys.map((key) => store.set(key, value)))
  }
}

/** A benchmark that answers wrongly measures nothing. */
function check(value: unknown, expected: string): void {
  if ((value as string | undefined)?.length === expected.length) return
  throw new Error('A contender answered with a wrong value.')
}
