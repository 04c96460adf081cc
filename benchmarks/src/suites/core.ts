import type { Redis } from 'ioredis'
import type { Contender, Suite } from '../suite.js'
import {
  checkValue,
  coalescedGet,
  coalescedSet,
  prepareEntries,
  ROWS,
  singleGet,
  singleSet,
  VALUE,
} from './entries.js'

const CALLERS = 64

/** What coalescing buys over one prepared statement for each call. */
export const core: Suite = {
  name: 'core',
  async setup({ pool, redis }) {
    const keyAt = await prepareEntries(pool({ max: 1 }))
    const ours = pool({ max: 10 })
    const single = pool({ max: 10 })
    const client = redis?.({ enableAutoPipelining: true })
    if (client !== undefined) await fillRedis(client)
    return [
      {
        figure: 'coalesced_vs_single_get',
        title: 'One value of 100 bytes by its key, from an UNLOGGED table of 100,000 rows',
        callers: CALLERS,
        ours: coalescedGet('db.coalescer, = any($1)', ours, keyAt),
        peers: [
          singleGet('one prepared statement a call, pool of 10', single, keyAt),
          singleGet('the same, pool of 2', pool({ max: 2 }), keyAt),
          singleGet('the same, pool of 30', pool({ max: 30 }), keyAt),
          ...(client === undefined ? [] : [redisGet(client, keyAt)]),
        ],
      },
      {
        figure: 'coalesced_vs_single_set',
        title: 'Overwriting one value of 100 bytes by its key in the same table',
        callers: CALLERS,
        ours: coalescedSet('db.coalescer, unnest upsert', ours, keyAt),
        peers: [
          singleSet('one prepared upsert a call, pool of 10', single, keyAt),
          ...(client === undefined ? [] : [redisSet(client, keyAt)]),
        ],
      },
    ]
  },
}

async function fillRedis(client: Redis): Promise<void> {
  for (let from = 0; from < ROWS; from += 1000) {
    const pairs = Array.from({ length: 1000 }, (_, n) => [`entry:${from + n}`, VALUE])
    await client.mset(...pairs.flat())
  }
}

function redisGet(client: Redis, keyAt: (at: number) => string): Contender {
  return {
    name: 'Redis GET, ioredis with auto-pipelining',
    call: async (at) => checkValue(await client.get(keyAt(at))),
  }
}

function redisSet(client: Redis, keyAt: (at: number) => string): Contender {
  return {
    name: 'Redis SET, ioredis with auto-pipelining',
    async call(at) {
      await client.set(keyAt(at), VALUE)
    },
  }
}
