/**
 * The process that subscribes, for one transport: it is told a channel and how many messages to expect, and tells when they have come, and
 * how long each took where messages begin with the time they were sent at.
 */
import { type Servers, type TransportName, transports } from './pubsub-transports.js'

/** What the benchmark's process tells this one. */
export type Order =
  | { readonly kind: 'subscribe'; readonly channel: string }
  | { readonly kind: 'expect'; readonly count: number; readonly timed: boolean }
  | { readonly kind: 'unsubscribe' }

/** What this process tells. */
export type Report =
  | { readonly kind: 'ready' }
  | { readonly kind: 'done'; readonly latencies: readonly number[] }

const { transport: name, ...servers } = JSON.parse(process.argv[2] as string) as Servers & {
  transport: TransportName
}
const transport = await transports[name](servers)
const tell = (report: Report) => process.send?.(report)

let left = 0
let timed = false
let latencies: number[] = []
let unsubscribe: (() => Promise<unknown> | undefined) | undefined

function onMessage(message: string): void {
  // The clock of hrtime is one for all processes of a machine.
  if (timed) latencies.push((Number(process.hrtime.bigint()) - Number.parseInt(message, 10)) / 1e6)
  if (--left === 0) tell({ kind: 'done', latencies })
}

async function obey(order: Order): Promise<void> {
  if (order.kind === 'subscribe') {
    unsubscribe = await transport.subscribe(order.channel, onMessage)
  } else if (order.kind === 'unsubscribe') {
    await unsubscribe?.()
  } else {
    left = order.count
    timed = order.timed
    latencies = []
  }
  tell({ kind: 'ready' })
}

process.on('message', (order: Order) => void obey(order))
process.once('disconnect', () => process.exit())
tell({ kind: 'ready' })
