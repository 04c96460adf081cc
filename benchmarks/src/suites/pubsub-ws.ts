import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as later } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { PubSub } from '@howdah/pubsub'
import type { Context } from '../suite.js'

/** One load and what it cost. */
export interface WsLoad {
  readonly title: string
  readonly clients: number
  readonly frames: number
  readonly seconds: number
  readonly cpuSeconds: number
  readonly framesPerCoreSecond: number
}

interface GatewayNumbers {
  readonly cpuSeconds: number
  readonly rss: number
  readonly frames: number
}

/** The floor of the figure `ws_frames_per_core_second`. */
export const WS_FRAMES_FLOOR = 60_000

const PAYLOAD = { text: 'x'.repeat(88) }

/**
 * Frames that a gateway delivers for each second of CPU time of its process: 500 clients in another process listen to one stream, and messages
 * of 100 bytes are appended one by one, 64 at a time, as fast as the clients receive them. Further loads, where messages come at a given rate and so
 * each frame is a write of its own, are for information.
 */
export async function measureWsFrames(context: Context): Promise<readonly WsLoad[]> {
  const seconds = context.quick ? 3 : 10
  const gateway = start('pubsub-ws-gateway', [context.databaseUrl])
  context.onEnd(async () => gateway.kill())
  const { port } = (await answer(gateway)) as { port: number }
  const pubsub = new PubSub({ pool: context.pool({ max: 4 }) })
  context.onEnd(() => pubsub.close())
  const stream = pubsub.stream<typeof PAYLOAD>('stream')
  const channel = pubsub.channel<typeof PAYLOAD>('channel')
  const append = () => stream.append(PAYLOAD)
  const publish = () => channel.publish(PAYLOAD)
  const loads: WsLoad[] = []
  for (const load of [
    { title: 'a stream, as fast as it is delivered', name: 'stream', clients: 500, send: append },
    { title: 'a stream, 50 messages/s', name: 'stream', clients: 500, send: append, perSecond: 50 },
    {
      title: 'a channel, as fast as it is delivered',
      name: 'channel',
      clients: 500,
      send: publish,
    },
    {
      title: 'a channel, 50 messages/s',
      name: 'channel',
      clients: 500,
      send: publish,
      perSecond: 50,
    },
  ]) {
    loads.push(await measure({ ...load, gateway, port, seconds }))
  }
  return loads
}

interface Load {
  readonly title: string
  readonly name: string
  readonly clients: number
  readonly perSecond?: number
  readonly gateway: ChildProcess
  readonly port: number
  readonly seconds: number
  send(): Promise<unknown>
}

async function measure(load: Load): Promise<WsLoad> {
  const { title, gateway, clients, seconds } = load
  const receivers = start('pubsub-ws-clients', [String(load.port), String(clients), load.name])
  try {
    await answer(receivers)
    const sent = { count: 0 }
    // Warm, and so is what the first second needs.
    await send(load, receivers, 1, sent)
    const before = (await ask(gateway)) as GatewayNumbers
    const began = performance.now()
    await send(load, receivers, seconds, sent)
    const after = (await ask(gateway)) as GatewayNumbers
    const frames = after.frames - before.frames
    const cpuSeconds = after.cpuSeconds - before.cpuSeconds
    return {
      title,
      clients,
      frames,
      seconds: (performance.now() - began) / 1000,
      cpuSeconds,
      framesPerCoreSecond: Math.round(frames / cpuSeconds),
    }
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
