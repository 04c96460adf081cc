import { tracingChannel } from 'node:diagnostics_channel'
import type { Context, RunContender, Suite } from '../suite.js'
import { drain, fill, howdahQueue } from './queue-contenders.js'
import type { JobQueue } from './queue-peers.js'

const CLAIMED = 5_000
const PLACES = 10

/** Whether what lies in front, beside and behind the jobs makes claiming them slower. Queues are compared with our own. */
export const queueFlat: Suite = {
  name: 'queue-flat',
  async setup(context) {
    const scale = context.quick ? 0.05 : 1
    const fresh = howdahQueue(context, 'flat-fresh')
    const backlog = howdahQueue(context, 'flat-backlog')
    const delayed = howdahQueue(context, 'flat-delayed')
    await fillDelayed(delayed, 1_000_000 * scale)
    const pinned = await pinnedQueue(context, 200_000 * scale)
    return [
      {
        figure: 'claim_pinned_ratio',
        title: `Claims of ${PLACES}, with ${200_000 * scale} processed jobs that an open snapshot of another session keeps from being removed`,
        callers: 1,
        compares: 'latency',
        ours: claiming('behind a pinned snapshot', pinned),
        peers: [claiming('fresh queue', fresh)],
      },
      {
        figure: 'claim_delayed_ratio',
        title: `Claims of ${PLACES}, with ${1_000_000 * scale} delayed jobs in the same queue`,
        callers: 1,
        compares: 'latency',
        ours: claiming('beside delayed jobs', delayed),
        peers: [claiming('fresh queue', fresh)],
      },
      {
        figure: 'drain_backlog_ratio',
        title: `Draining 10,000 jobs of a backlog of ${1_000_000 * scale}, over draining 10,000 that are all there are`,
        callers: 1,
        ours: {
          name: 'backlog',
          prepare: async () => topUp(backlog, 1_000_000 * scale),
          run: () => drain(backlog, 10_000, 500),
        },
        peers: [
          {
            name: '10,000 jobs',
            prepare: () => fill(fresh, 10_000),
            run: () => drain(fresh, 10_000, 500),
          },
        ],
      },
    ]
  },
}

/** Drains a small queue with few places and takes the time of every claim, as the tracing channel tells it. */
function claiming(name: string, queue: JobQueue): RunContender {
  return {
    name,
    prepare: () => fill(queue, CLAIMED),
    async run() {
      const latencies: number[] = []
      const ended = claimTimes(latencies)
      const { count } = await drain(queue, CLAIMED, PLACES)
      ended()
      return { count, latencies }
    },
  }
}

/** Notes how long each claim takes, from the call to its answer, until the function it answers is called. */
function claimTimes(into: number[]): () => void {
  const started = new WeakMap<object, number>()
  const channel = tracingChannel('@howdah/queue:take')
  const subscriber = {
    start: (context: object) => void started.set(context, performance.now()),
    end() {},
    asyncStart: (context: object) =>
      void into.push(performance.now() - (started.get(context) ?? Number.NaN)),
    asyncEnd() {},
    error() {},
  }
  channel.subscribe(subscriber)
  return () => channel.unsubscribe(subscriber)
}

async function fillDelayed({ queue }: ReturnType<typeof howdahQueue>, jobs: number): Promise<void> {
  for (let left = jobs; left > 0; left -= 5_000) {
    await queue.addMany(
      Array.from({ length: Math.min(left, 5_000) }, () => ({})),
      { delay: '30d' },
    )
  }
}

async function topUp(made: ReturnType<typeof howdahQueue>, jobs: number): Promise<void> {
  const { waiting } = await made.queue.stats()
  await fill(made, Math.max(0, jobs - waiting), 5_000)
}

/** A queue whose processed jobs cannot be removed: an open transaction of another session may still look at them. */
async function pinnedQueue(context: Context, jobs: number): Promise<JobQueue> {
  const queue = howdahQueue(context, 'flat-pinned')
  await fill(queue, 10)
  const holder = await context.connect()
  await holder.query('begin isolation level repeatable read')
  await holder.query('select count(*) from howdah.queue_ready')
  await fill(queue, jobs, 5_000)
  await drain(queue, jobs + 10, 500)
  return queue
}
