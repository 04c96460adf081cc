import { Database } from '@howdah/core'
import type { QueueSubject, QueueUnderTest } from '@howdah/testkit'
import type pg from 'pg'
import { Discard, Queue, type QueueOptions, RetryLater } from '../src/index.js'

let made = 0

/** A queue of an engine, for the suite that all engines run. */
export function subjectOf(pool: pg.Pool, otherPool: pg.Pool, engine: QueueOptions['engine']) {
  const options = { engine, attempts: 3, backoff: 1 }
  const name = `conformance_${++made}`
  const queue = new Queue<unknown>(name, { pool, ...options })
  const other = new Queue<unknown>(name, { pool: otherPool, ...options })
  const subject: QueueSubject = {
    queue: toSubject(queue),
    other: toSubject(other),
    transaction: (fn) =>
      Database.from(pool).transaction((tx) => fn(tx as Parameters<typeof fn>[0])),
    retryLater: (ms) => new RetryLater(ms),
    discard: () => new Discard(),
    priorities: [5, 0],
  }
  return {
    subject,
    async dispose() {
      await Promise.all([queue, other].map((each) => each.close({ withinMs: 1000 })))
    },
  }
}

function toSubject(queue: Queue<unknown>): QueueUnderTest {
  return {
    add: (payload, options) => queue.add(payload, options as never),
    addMany: (payloads, options) => queue.addMany(payloads, options as never),
    work: (handler, options) => queue.work(handler as never, options),
    workInBatches: (handler, options) => queue.work(handler as never, options),
    stats: () => queue.stats(),
    deadLetters: () => queue.deadLetters(),
    redrive: (ids) => queue.redrive(ids),
    purgeDead: (ids) => queue.purgeDead(ids),
    clear: () => queue.clear(),
    cancel: (id) => queue.cancel(id),
  }
}
