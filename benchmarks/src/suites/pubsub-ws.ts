import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as later } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { PubSub } from '@howdah/pubsub'
import type { Context, Measure } from '../suite.js'

interface GatewayNumbers {
  readonly cpuSeconds: number
  readonly rss: number
  readonly frames: number
}

const PAYLOAD = { text: 'x'.repeat(88) }
const CLIENTS = 500

/**
 * Frames that a gateway delivers for each second of CPU time of its process; its clients are in another process.
 *
 * The figure is the hard case: 50 messages of 100 bytes a second, so that each of 500 clients gets each of them in a write of its own. Messages
 * that come faster than that share writes, which the other number is of.
 */
export function wsMeasures(context: Context): Measure[] {
  let started: Promise<Started> | undefined
  const measureWith = async (perSecond?: number) => {
    started ??= startGateway(context)
    const { gateway, port, append } = await started
    return measure({
      clients: CLIENTS,
      send: append,
      gateway,
      port,
      seconds: context.quick ? 2 : 5,
      perSecond,
    })
  }
  return [
    {
      figure: 'ws_frames_per_core_second',
      title: `50 messages of 100 bytes a second of a stream to ${CLIENTS} WebSocket clients: frames for a second of the gateway's CPU time`,
      unit: '/s',
      run: () => measureWith(50),
    },
    {
      figure: 'ws_frames_flooded_per_core_second',
      title: 'The same as fast as they are delivered',
      unit: '/s',
      run: () => measureWith(),
    },
  ]
}

interface Started {
  readonly gateway: ChildProcess
  readonly port: number
  append(): Promise<unknown>
}

async function startGateway(context: Context): Promise<Started> {
  const gateway = start('pubsub-ws-gateway', [context.databaseUrl])
  context.onEnd(async () => gateway.kill())
  const { port } = (await answer(gateway)) as { port: number }
  const pubsub = new PubSub({ pool: context.pool({ max: 4 }) })
  context.onEnd(() => pubsub.close())
  const stream = pubsub.stream<typeof PAYLOAD>('stream')
  return { gateway, port, append: () => stream.append(PAYLOAD) }
}

interface Load {
  readonly clients: number
  readonly perSecond: number | undefined
  readonly gateway: ChildProcess
  readonly port: number
  readonly seconds: number
  send(): Promise<unknown>
}

async function measure(load: Load): Promise<number> {
  const { gateway, clients, seconds } = load
  const receivers = start('pubsub-ws-clients', [String(load.port), String(clients), 'stream'])
  try {
    await answer(receivers)
    const sent = { count: 0 }
    // Warm, and so is what the first second needs.
    await send(load, receivers, 1, sent)
    const before = (await ask(gateway)) as GatewayNumbers
    await send(load, receivers, seconds, sent)
    const after = (await ask(gateway)) as GatewayNumbers
    const frames = after.frames - before.frames
    const cpuSeconds = after.cpuSeconds - before.cpuSeconds
    return frames / cpuSeconds
  } finally {
    receivers.kill()
    await once(receivers, 'exit')
  }
}

/** Sends for some time, then waits until every client has everything. */
async function send(
  load: Load,
  receivers: ChildProcess,
  seconds: number,
  sent: { count: number },
): Promise<void> {
  const end = performance.now() + seconds * 1000
  const received = async () => ((await ask(receivers)) as { frames: number }).frames / load.clients
  if (load.perSecond !== undefined) {
    const pause = 1000 / load.perSecond
    for (let next = performance.now(); next < end; next += pause) {
      await later(Math.max(0, next - performance.now()))
      await load.send()
      sent.count++
    }
  } else {
    while (performance.now() < end) {
      await Promise.all(Array.from({ length: 64 }, () => load.send()))
      sent.count += 64
      // At most two rounds ahead of the clients.
      while ((await received()) < sent.count - 128) await later(1)
    }
  }
  while ((await received()) < sent.count) await later(5)
}

function start(name: string, args: readonly string[]): ChildProcess {
  const extension = import.meta.url.split('.').at(-1)
  const file = fileURLToPath(new URL(`./${name}.${extension}`, import.meta.url))
  return fork(file, args)
}

function ask(child: ChildProcess): Promise<unknown> {
  child.send({})
  return answer(child)
}

async function answer(child: ChildProcess): Promise<unknown> {
  const [message] = (await once(child, 'message')) as [unknown]
  return message
}
