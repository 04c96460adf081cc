import { createServer } from 'node:http'
import { setTimeout as later } from 'node:timers/promises'
import { PubSub } from '@howdah/pubsub'
import { createClient } from '@redis/client'
import { createAdapter } from '@socket.io/postgres-adapter'
import { Redis } from 'ioredis'
import pg from 'pg'
import pgListen from 'pg-listen'
import { Server } from 'socket.io'

/** Where the servers are. */
export interface Servers {
  readonly databaseUrl: string
  readonly redisUrl: string | undefined
}

/** One library's way to publish and to subscribe. A process makes its own, and uses it for one of the two. */
export interface Transport {
  /** Resolves when the server has taken the message. */
  publish(channel: string, message: string): Promise<unknown>
  /** Resolves once messages come, with the function that ends that. */
  subscribe(
    channel: string,
    onMessage: (message: string) => void,
  ): Promise<() => Promise<unknown> | undefined>
  close(): Promise<unknown>
}

/** By the name that the report gives it. */
export const transports = {
  '@howdah/pubsub': howdah,
  'ioredis, auto-pipelined': ioredis(true),
  'a stream of @howdah/pubsub': howdahStream,
  ioredis: ioredis(false),
  'node-redis': nodeRedis,
  'pg_notify through pg': notify,
  'pg-listen': listen,
  '@socket.io/postgres-adapter': socketIo,
} satisfies Record<string, (servers: Servers) => Promise<Transport>>

export type TransportName = keyof typeof transports

async function howdah({ databaseUrl }: Servers): Promise<Transport> {
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 10 })
  const pubsub = new PubSub({ pool })
  const channels = new Map<string, ReturnType<typeof pubsub.channel<string>>>()
  const named = (name: string) => {
    const channel = channels.get(name) ?? pubsub.channel<string>(name)
    channels.set(name, channel)
    return channel
  }
  return {
    publish: (name, message) => named(name).publish(message),
    async subscribe(name, onMessage) {
      const subscription = await named(name).subscribe(onMessage)
      return () => subscription.close()
    },
    async close() {
      await pubsub.close()
      await pool.end()
    },
  }
}

async function howdahStream({ databaseUrl }: Servers): Promise<Transport> {
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 10 })
  const pubsub = new PubSub({ pool })
  return {
    publish: (name, message) => pubsub.stream<string>(name).append(message),
    async subscribe(name, onMessage) {
      const subscription = await pubsub
        .stream<string>(name)
        .subscribe(({ payload }) => onMessage(payload))
      return () => subscription.close()
    },
    async close() {
      await pubsub.close()
      await pool.end()
    },
  }
}

function ioredis(enableAutoPipelining: boolean) {
  return async ({ redisUrl = '' }: Servers): Promise<Transport> => {
    const redis = new Redis(redisUrl, { enableAutoPipelining, lazyConnect: true })
    await redis.connect()
    return {
      publish: (channel, message) => redis.publish(channel, message),
      async subscribe(channel, onMessage) {
        redis.on('message', (_, message) => onMessage(message))
        await redis.subscribe(channel)
        return () => {
          redis.removeAllListeners('message')
          return redis.unsubscribe(channel)
        }
      },
      close: () => redis.quit(),
    }
  }
}

async function nodeRedis({ redisUrl = '' }: Servers): Promise<Transport> {
  const redis = createClient({ url: redisUrl })
  redis.on('error', () => {})
  await redis.connect()
  return {
    publish: (channel, message) => redis.publish(channel, message),
    async subscribe(channel, onMessage) {
      await redis.subscribe(channel, onMessage)
      return () => redis.unsubscribe(channel)
    },
    close: () => redis.close(),
  }
}

async function notify({ databaseUrl }: Servers): Promise<Transport> {
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 10 })
  const send = { name: 'notify', text: 'select pg_notify($1, $2)' }
  return {
    publish: (channel, message) => pool.query({ ...send, values: [channel, message] }),
    async subscribe(channel, onMessage) {
      const client = new pg.Client({ connectionString: databaseUrl })
      await client.connect()
      client.on('notification', ({ payload = '' }) => onMessage(payload))
      await client.query(`listen ${pg.escapeIdentifier(channel)}`)
      return () => client.end()
    },
    close: () => pool.end(),
  }
}

async function listen({ databaseUrl }: Servers): Promise<Transport> {
  const made = () => pgListen.default({ connectionString: databaseUrl })
  const publisher = made()
  await publisher.connect()
  return {
    publish: async (channel, message) => publisher.notify(channel, message),
    async subscribe(channel, onMessage) {
      const subscriber = made()
      await subscriber.connect()
      subscriber.notifications.on(channel, onMessage)
      await subscriber.listenTo(channel)
      return () => subscriber.close()
    },
    close: () => publisher.close(),
  }
}

/** Between servers of Socket.IO. It takes messages without saying when they have gone. */
async function socketIo({ databaseUrl }: Servers): Promise<Transport> {
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 10 })
  const io = new Server(createServer(), { adapter: createAdapter(pool) })
  return {
    publish: async (channel, message) => io.serverSideEmit(channel, message),
    async subscribe(channel, onMessage) {
      io.on(channel, onMessage)
      // Nothing else says that it listens; the other process is heard of by its heartbeat.
      while ((await io.of('/').adapter.serverCount()) < 2) await later(20)
      return async () => io.off(channel, onMessage)
    },
    async close() {
      await io.close()
      await pool.end()
    },
  }
}
