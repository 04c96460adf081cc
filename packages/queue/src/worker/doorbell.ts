import type { Hub } from '@howdah/core'
import type { NativeWorker } from './native-worker.js'

/** Tells the workers of a queue, of whom there may be others later, that there are jobs, and which were cancelled. Answers how to end it. */
export async function listenForWorkers<T>(
  hub: Hub,
  queue: string,
  workers: Iterable<NativeWorker<T>>,
): Promise<() => Promise<void>> {
  const wake = () => {
    for (const worker of workers) worker.wake()
  }
  const ends = await Promise.all([
    hub.register('queue', {
      onMessage: (name) => {
        if (name === queue) wake()
      },
      onGap: wake,
    }),
    hub.register('queue-cancel', {
      onMessage: (name, ids) => {
        if (name !== queue || !Array.isArray(ids)) return
        for (const worker of workers) for (const id of ids) worker.cancel(String(id))
      },
      // The heartbeat tells it too.
      onGap() {},
    }),
  ])
  return async () => {
    await Promise.all(ends.map((end) => end()))
  }
}
