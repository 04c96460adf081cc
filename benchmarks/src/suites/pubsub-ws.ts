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

/** What a gateway does with a second of one processor. */
export interface WsFrames {
  /** Its value is that of the first load. */
  readonly figure: 'ws_frames_per_core_second'
  readonly value: number
  readonly floor: number
  readonly loads: readonly WsLoad[]
}

const FLOOR = 60_000

const PAYLOAD = { text: 'x'.repeat(88) }

/**
 * Frames that a gateway delivers for each second of CPU time of its process; its clients are in another process.
 *
 * The figure is the hard case: 50 messages of 100 bytes a second, so that each of 500 clients gets each of them in a write of its own. The other loads
 * are for information; messages that come faster than that share writes.
 */
export async function measureWsFrames(context: Context): Promise<WsFrames> {
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
    { title: 'a stream, 50 messages/s', name: 'stream', clients: 500, send: append, perSecond: 50 },
    { title: 'a stream, as fast as it is delivered', name: 'stream', clients: 500, send: append },
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
  const value = loads[0]?.framesPerCoreSecond ?? 0
  return { figure: 'ws_frames_per_core_second', value, floor: FLOOR, loads }
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
