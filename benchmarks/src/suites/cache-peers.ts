/** Other caches, each set up as its documentation advises for speed. */
import { createKeyv as keyvPostgres } from '@keyv/postgres'
import { createKeyv as keyvRedis } from '@keyv/redis'
import { createClient } from '@redis/client'
import { BentoCache, bentostore } from 'bentocache'
import { memoryDriver } from 'bentocache/drivers/memory'
import { redisDriver } from 'bentocache/drivers/redis'
import type { Redis } from 'ioredis'
import type { Context } from '../suite.js'

/** The calls that are compared. */
export interface Store {
  readonly name: string
  get(key: string): Promise<unknown>
  set(key: string, value: string): Promise<unknown>
  /** Reads several keys at once, in their order. */
  getMany?(keys: readonly string[]): Promise<readonly unknown[]>
}

export function ioredis(name: string, client: Redis): Store {
  return {
    name,
    get: (key) => client.get(key),
    set: (key, value) => client.set(key, value),
    getMany: (keys) => client.mget(...keys),
  }
}

/** It always pipelines what one turn of the event loop asks for. */
export async function nodeRedis({ onEnd }: Context, url: string): Promise<Store> {
  const client = createClient({ url })
  client.on('error', () => {})
  await client.connect()
  onEnd(async () => client.destroy())
  return {
    name: 'node-redis',
    get: (key) => client.get(key),
    set: (key, value) => client.set(key, value),
  }
}

export function keyvOnRedis({ onEnd }: Context, url: string): Store {
  const keyv = keyvRedis(url, { namespace: 'keyv' })
  onEnd(() => keyv.disconnect())
  return keyvStore('@keyv/redis', keyv)
}

/** Unlogged, for it is compared with a table that is. */
export function keyvOnPostgres({ databaseUrl, onEnd }: Context): Store {
  const keyv = keyvPostgres({ uri: databaseUrl, useUnloggedTable: true, max: 10 })
  onEnd(() => keyv.disconnect())
  return keyvStore('@keyv/postgres, unlogged', keyv)
}

function keyvStore(name: string, keyv: ReturnType<typeof keyvRedis>): Store {
  keyv.on('error', () => {})
  return {
    name,
    get: (key) => keyv.get(key),
    set: (key, value) => keyv.set(key, value),
  }
}

/** Answers from memory; `serialize: false` keeps the values themselves, which its guide says is the fastest. */
export function bentoMemory({ onEnd }: Context, maxItems: number, redisUrl?: string): Store {
  const memory = bentostore().useL1Layer(memoryDriver({ maxItems, serialize: false }))
  const store =
    redisUrl === undefined
      ? memory
      : memory.useL2Layer(redisDriver({ connection: connection(redisUrl) }))
  const name = redisUrl === undefined ? 'bentocache, memory' : 'bentocache, memory over Redis'
  return bento(name, store, onEnd)
}

/** Answers from Redis. */
export function bentoRedis({ onEnd }: Context, redisUrl: string): Store {
  const driver = redisDriver({ connection: connection(redisUrl) })
  return bento('bentocache, Redis alone', bentostore().useL2Layer(driver), onEnd)
}

function bento(name: string, store: ReturnType<typeof bentostore>, onEnd: Context['onEnd']): Store {
  const cache = new BentoCache({ default: 'only', ttl: '1d', stores: { only: store } })
  onEnd(() => cache.disconnectAll())
  return {
    name,
    get: (key) => cache.get({ key }),
    set: (key, value) => cache.set({ key, value }),
  }
}

function connection(url: string) {
  const { hostname, port, password } = new URL(url)
  return { host: hostname, port: Number(port || 6379), ...(password ? { password } : {}) }
}
