/**
 * What connect-redis has stored. It prolongs a session by the time to live of its key alone, so the end that the data's cookie names is that of the last save: how long a
 * session has left only Redis knows.
 */
import type { CallbackStore } from './callback-store.js'
import { call } from './callback-store.js'
import type { SessionSource, SourceSession } from './session-source.js'

/** The part of the clients of Redis that we use; one of the two spellings of `PTTL` is there. */
interface RedisClient {
  get(key: string): Promise<string | null>
  pTTL?(key: string): Promise<number>
  pttl?(key: string): Promise<number>
  scanIterator?(options: {
    readonly MATCH: string
    readonly COUNT: number
  }): AsyncIterable<string | readonly string[]>
}

/** connect-redis by shape. */
interface ConnectRedis extends CallbackStore {
  readonly client: RedisClient
  readonly prefix: string
  readonly serializer: { parse(text: string): unknown }
  ids(callback: (error: unknown, ids?: unknown) => void): unknown
}

/** What `PTTL` answers of a key that is not there, and of one that never ends. */
const GONE = -2
const ENDLESS = -1

export function isConnectRedis(store: CallbackStore): store is ConnectRedis {
  const { client, prefix, serializer, ids } = store as Partial<ConnectRedis>
  return (
    typeof client?.get === 'function' &&
    (typeof client.pTTL === 'function' || typeof client.pttl === 'function') &&
    typeof prefix === 'string' &&
    typeof serializer?.parse === 'function' &&
    typeof ids === 'function'
  )
}

export function redisSource(store: ConnectRedis): SessionSource {
  const { client, prefix } = store
  const left = (id: string) =>
    (client.pTTL?.(prefix + id) ?? client.pttl?.(prefix + id)) as Promise<number>

  async function read(id: string): Promise<SourceSession | undefined> {
    const [ttl, text] = await Promise.all([left(id), textOf(client, prefix + id)])
    if (ttl === GONE || text === null) return undefined
    const data = await parsed(store, text)
    return { id, data, ttl: ttl === ENDLESS ? undefined : ttl }
  }

  return {
    async *batches(size) {
      for await (const ids of idsOf(store, size)) {
        const sessions = await Promise.all(ids.map(read))
        yield sessions.filter((session) => session !== undefined)
      }
    },
    async live(ids) {
      const ttls = await Promise.all(ids.map(left))
      return new Set(ids.filter((_, at) => ttls[at] !== GONE))
    },
  }
}

async function* idsOf(store: ConnectRedis, size: number): AsyncGenerator<readonly string[]> {
  const { client, prefix } = store
  let ids: string[] = []
  // A cluster has a scan of its own at each master; connect-redis knows how to ask them.
  if (typeof client.scanIterator !== 'function' || 'masters' in client) {
    ids = ((await call((done) => store.ids(done))) as string[] | undefined) ?? []
  } else {
    const pattern = `${prefix.replace(/[\\*?[\]]/g, '\\$&')}*`
    for await (const found of client.scanIterator({ MATCH: pattern, COUNT: size })) {
      ids.push(...[found].flat().map((key) => key.slice(prefix.length)))
      while (ids.length >= size) yield ids.splice(0, size)
    }
  }
  while (ids.length > 0) yield ids.splice(0, size)
}

/** A key with this prefix that holds no text is none of connect-redis'. */
async function textOf(client: RedisClient, key: string): Promise<string | null | undefined> {
  try {
    return await client.get(key)
  } catch (error) {
    if (error instanceof Error && error.message.startsWith('WRONGTYPE')) return undefined
    throw error
  }
}

async function parsed(store: ConnectRedis, text: string | undefined): Promise<unknown> {
  if (text === undefined) return undefined
  try {
    return await store.serializer.parse(text)
  } catch {
    return undefined
  }
}
