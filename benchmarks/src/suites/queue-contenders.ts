import { setTimeout as later } from 'node:timers/promises'
import type { DatabaseSource } from '@howdah/core'
import { Queue } from '@howdah/queue'
import type { CallContender, Context, RunContender } from '../suite.js'
import type { JobQueue } from './queue-peers.js'

/** 200 bytes of JSON. */
export const PAYLOAD: Readonly<Record<string, string>> = { data: 'x'.repeat(189) }
const BULK = 100

/** Ours. */
export function howdahQueue(
  { pool, onEnd }: Context,
  name: string,
  shared?: DatabaseSource,
): JobQueue & { readonly queue: Queue<object> } {
  const queue = new Queue<object>(name, { pool: shared ?? pool({ max: 10 }) })
  onEnd(() => queue.close())
  return {
    name: '@howdah/queue',
    queue,
    add: (payload) => queue.add(payload),
    addMany: (payloads) => queue.addMany(payloads),
    async work(onJob, concurrency) {
      const worker = queue.work((job) => onJob(job.payload), { concurrency })
      return () => worker.close()
    },
  }
}

/** Fills a queue in bulk. */
export async function fill(queue: JobQueue, jobs: number, atOnce = 500): Promise<void> {
  let left = jobs
  const filler = async () => {
    while (left > 0) {
      const count = Math.min(atOnce, left)
      left -= count
      await queue.addMany(Array.from({ length: count }, () => PAYLOAD))
    }
  }
  await Promise.all([filler(), filler()])
}

/** Fills a queue, then measures from the start of a worker until the last job has run and its end is told to the server. */
export function draining(queue: JobQueue, jobs: number, concurrency: number): RunContender {
  return {
    name: `${queue.name}, ${concurrency} places`,
    prepare: () => fill(queue, jobs),
    run: () => drain(queue, jobs, concurrency),
  }
}

/** Works until so many jobs have run and their ends are told. */
export async function drain(
  queue: JobQueue,
  jobs: number,
  concurrency: number,
): Promise<{ readonly count: number }> {
  let count = 0
  let stop: () => Promise<void> = async () => {}
  await new Promise<void>((resolve, reject) => {
    queue
      .work(() => {
        if (++count === jobs) resolve()
      }, concurrency)
      .then((close) => {
        stop = close
        if (count === jobs) resolve()
      }, reject)
  })
  await stop()
  return { count }
}

export function addingOne(queue: JobQueue): CallContender {
  return {
    name: queue.name,
    async call() {
      await queue.add(PAYLOAD)
    },
  }
}

/** An operation is one bulk of a hundred. */
export function addingBulk(queue: JobQueue): CallContender {
  const payloads = Array.from({ length: BULK }, () => PAYLOAD)
  return {
    name: queue.name,
    async call() {
      await queue.addMany(payloads)
    },
  }
}

const EVERY_MS = 50
const SETTLE_MS = 500

/** One job each 50 ms to a worker that has nothing else to do: from the call of `add` to the start of the handler. */
export function waiting(queue: JobQueue, jobs: number): RunContender {
  let started: (at: number) => void = () => {}
  let stop: () => Promise<void> = async () => {}
  return {
    name: queue.name,
    async prepare() {
      stop = await queue.work(() => started(performance.now()), 10)
      // Until connections are open and the worker has come to rest.
      await later(SETTLE_MS)
      await one()
      await later(SETTLE_MS)
    },
    async run() {
      const latencies: number[] = []
      for (let at = 0; at < jobs; at++) {
        const next = later(EVERY_MS)
        latencies.push(await one())
        await next
      }
      return { count: jobs, latencies }
    },
    finish: () => stop(),
  }

  async function one(): Promise<number> {
    const before = performance.now()
    const start = new Promise<number>((resolve) => {
      started = resolve
    })
    await queue.add(PAYLOAD)
    return (await start) - before
  }
}
