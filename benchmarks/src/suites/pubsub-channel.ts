import { type ChildProcess, fork } from 'node:child_process'
import { setTimeout as later } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Context, RunContender, Scenario } from '../suite.js'
import type { Order, Report } from './pubsub-subscriber.js'
import { type Transport, type TransportName, transports } from './pubsub-transports.js'

const BYTES = 100
const LOST_MS = 30_000
const REDIS: readonly TransportName[] = ['ioredis, auto-pipelined', 'node-redis', 'ioredis']
const POSTGRES: readonly TransportName[] = ['pg_notify through pg', 'pg-listen']

/** Messages of a round, so many that a round takes about a second. */
const ROUND: Partial<Record<TransportName, number>> = {
  ioredis: 40_000,
  'pg_notify through pg': 8_000,
  'pg-listen': 8_000,
}
const ROUND_ELSE = 100_000

/** Channels: one process publishes and another subscribes, ours and theirs alike, and every publisher awaits the server's answer. */
export function channelScenarios(context: Context): Scenario[] {
  if (context.redisUrl === undefined) return []
  const best = { name: 'the fastest Redis client of each round', peers: REDIS }
  const throughput = (figure: string, publishers: number): Scenario => {
    const one = (name: TransportName) => flooding(context, name, publishers)
    return {
      figure,
      title: `Messages of ${BYTES} bytes from one process to another: delivered messages`,
      callers: publishers,
      ours: one('@howdah/pubsub'),
      peers: all(one, [...REDIS, ...POSTGRES]),
      best,
    }
  }
  const one = (name: TransportName) => trickling(context, name)
  return [
    throughput('channel_throughput_vs_redis', 64),
    throughput('channel512_throughput_vs_redis', 512),
    {
      figure: 'channel_p50_vs_redis',
      title: `200 messages of ${BYTES} bytes a second from one process to another: from publish() to the listener`,
      callers: 1,
      compares: 'latency',
      ours: one('@howdah/pubsub'),
      peers: all(one, [...REDIS, ...POSTGRES, '@socket.io/postgres-adapter']),
      best,
    },
  ]
}

function all(
  make: (name: TransportName) => RunContender,
  names: readonly TransportName[],
): [RunContender, ...RunContender[]] {
  return names.map(make) as [RunContender, ...RunContender[]]
}

function flooding(context: Context, name: TransportName, publishers: number): RunContender {
  const count = (ROUND[name] ?? ROUND_ELSE) * (context.quick ? 0.2 : 1)
  return contender(context, name, async (publish, arrival) => {
    const arrived = await arrival(count, false)
    let left = count
    const publisher = async () => {
      while (left-- > 0) await publish(message(left))
    }
    await Promise.all(Array.from({ length: publishers }, publisher))
    await arrived.all
    return { count }
  })
}

const EVERY_MS = 5

function trickling(context: Context, name: TransportName): RunContender {
  const count = context.quick ? 100 : 400
  return contender(context, name, async (publish, arrival) => {
    const arrived = await arrival(count, true)
    for (let at = 0; at < count; at++) {
      const next = later(EVERY_MS)
      void publish(message(Number(process.hrtime.bigint())))
      await next
    }
    return { count, latencies: await arrived.all }
  })
}

function message(of: number): string {
  return `${of} `.padEnd(BYTES, 'x')
}

interface Arrival {
  /** Resolves with the latency of each, where they are timed. */
  readonly all: Promise<readonly number[]>
}

type Run = (
  publish: (message: string) => Promise<unknown>,
  arrival: (count: number, timed: boolean) => Promise<Arrival>,
) => ReturnType<RunContender['run']>

/**
 * Both processes last as long as the suite, so that their code is compiled; but each subscribes during its own rounds only, since PostgreSQL
 * wakes whoever listens to anything.
 */
function contender(context: Context, name: TransportName, run: Run): RunContender {
  const { databaseUrl, redisUrl } = context
  const channel = `bench-${name.replace(/\W+/g, '-')}`
  let made: Promise<readonly [Subscriber, Transport]> | undefined
  const ready = () => {
    made ??= Promise.all([
      Subscriber.start(JSON.stringify({ databaseUrl, redisUrl, transport: name })),
      transports[name]({ databaseUrl, redisUrl }),
    ])
    return made
  }
  context.onEnd(async () => {
    if (made === undefined) return
    const [subscriber, transport] = await made
    subscriber.end()
    await transport.close()
  })
  return {
    name,
    async prepare() {
      const [subscriber] = await ready()
      await subscriber.order({ kind: 'subscribe', channel })
    },
    async run() {
      const [subscriber, transport] = await ready()
      return run(
        (text) => transport.publish(channel, text),
        (count, timed) => subscriber.expect(count, timed),
      )
    },
    async finish() {
      const [subscriber] = await ready()
      await subscriber.order({ kind: 'unsubscribe' })
    },
  }
}

/** The other process. */
export class Subscriber {
  readonly #child: ChildProcess

  private constructor(child: ChildProcess) {
    this.#child = child
  }

  static async start(argument: string): Promise<Subscriber> {
    const file = fileURLToPath(new URL('./pubsub-subscriber.ts', import.meta.url))
    const subscriber = new Subscriber(fork(file, [argument]))
    await subscriber.#next('ready')
    return subscriber
  }

  async order(order: Order): Promise<void> {
    const obeyed = this.#next('ready')
    this.#child.send(order)
    await obeyed
  }

  /** Resolves when the other process counts. */
  async expect(count: number, timed: boolean): Promise<Arrival> {
    const done = this.#next('done')
    await this.order({ kind: 'expect', count, timed })
    return { all: done.then(({ latencies }) => latencies) }
  }

  end(): void {
    this.#child.disconnect()
  }

  #next<Kind extends Report['kind']>(kind: Kind): Promise<Extract<Report, { kind: Kind }>> {
    const child = this.#child
    return new Promise((resolve, reject) => {
      const lost = setTimeout(() => {
        reject(new Error(`${kind} was not told in ${LOST_MS} ms: a message was lost.`))
      }, LOST_MS)
      const onReport = (report: Report) => {
        if (report.kind !== kind) return
        clearTimeout(lost)
        child.off('message', onReport)
        resolve(report as Extract<Report, { kind: Kind }>)
      }
      child.on('message', onReport)
    })
  }
}
