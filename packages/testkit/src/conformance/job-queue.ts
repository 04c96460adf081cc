import assert from 'node:assert/strict'
import { waitFor } from '../wait-for.js'
import { HOSTILE_VALUE } from './hostile.js'
import { type ConformanceRunner, type Subject, withSubject } from './runner.js'

/** A job as handlers see it. */
export interface JobUnderTest {
  readonly id: string
  readonly payload: unknown
  readonly attempt: number
  complete(options: { readonly client: TransactionUnderTest }): Promise<void>
}

/** A connection inside a transaction, as `add` and `complete` take it. */
export interface TransactionUnderTest {
  query(text: string): Promise<unknown>
}

/** A worker, as far as the suite uses it. */
export interface WorkerUnderTest {
  close(options?: { readonly withinMs?: number }): Promise<void>
}

/** What can be said of a job, as far as the suite does. */
export interface AddOptionsUnderTest {
  readonly delay?: number
  readonly attempts?: number
  readonly priority?: number
  readonly client?: TransactionUnderTest
}

/** The least a job queue offers. */
export interface QueueUnderTest {
  add(payload: unknown, options?: AddOptionsUnderTest): Promise<string>
  addMany(payloads: readonly unknown[], options?: AddOptionsUnderTest): Promise<string[]>
  work(
    handler: (job: JobUnderTest) => unknown,
    options?: {
      readonly concurrency?: number
      readonly lease?: number
      readonly pollInterval?: number
    },
  ): WorkerUnderTest
  workInBatches(
    handler: (jobs: readonly JobUnderTest[]) => unknown,
    options: { readonly batchSize: number; readonly pollInterval?: number },
  ): WorkerUnderTest
  stats(): Promise<{
    readonly waiting: number
    readonly delayed: number
    readonly running: number
    readonly dead: number
  }>
  deadLetters(): Promise<
    readonly { readonly id: string; readonly payload: unknown; readonly error: string | null }[]
  >
  redrive(ids?: readonly string[]): Promise<number>
  purgeDead(ids?: readonly string[]): Promise<number>
  clear(): Promise<number>
  cancel(id: string): Promise<string>
}

/** A queue, and what belongs to it. */
export interface QueueSubject {
  /** It retries after some milliseconds, three attempts in all unless a job says otherwise. */
  readonly queue: QueueUnderTest
  /** The same queue as another process has it. */
  readonly other: QueueUnderTest
  /** Runs a function in a transaction, which is rolled back if it throws. */
  transaction(fn: (client: TransactionUnderTest) => Promise<void>): Promise<void>
  /** What a handler throws to have the job run later, or never again. */
  retryLater(ms: number): Error
  discard(): Error
  /** Two priorities that it has, the higher one first. */
  readonly priorities: readonly [number, number]
}

/** Makes an empty queue for one test. */
export type QueueFactory = () => Promise<Subject<QueueSubject>> | Subject<QueueSubject>

type It = (name: string, body: (subject: QueueSubject) => Promise<void>) => void

/**
 * Declares tests of what every engine of a job queue must do: nothing lost, nothing twice, transactions, delays, retries, dead letters,
 * batches, handing back, completion with the caller's effects.
 *
 * @example
 * ```ts
 * import { describe, it } from 'node:test'
 * import { type QueueFactory, queueConformance } from '@howdah/testkit'
 *
 * declare const makeQueue: QueueFactory
 * queueConformance({ describe, it }, makeQueue)
 * ```
 */
export function queueConformance(runner: ConformanceRunner, factory: QueueFactory): void {
  const it: It = withSubject(runner, factory)
  runner.describe('job queue contract', () => {
    declareAdding(it)
    declareWorking(it)
    declareEnds(it)
  })
}

/** Without the NUL, which not every engine can keep. */
const TEXT = String(HOSTILE_VALUE['text']).replace('\0', '')
const POLL = { pollInterval: 10 }
const until = (check: () => Promise<boolean> | boolean) => waitFor(check, { timeout: 20_000 })

async function empty({ queue }: QueueSubject): Promise<boolean> {
  const { waiting, delayed, running } = await queue.stats()
  return waiting + delayed + running === 0
}

function declareAdding(it: It): void {
  it('hands the payload over unchanged', async (subject) => {
    const { queue } = subject
    const payloads = [
      { ...HOSTILE_VALUE, text: TEXT },
      [],
      {},
      '',
      'text',
      0,
      -1.5,
      false,
      null,
      [null],
    ]
    const ids = await queue.addMany(payloads)
    assert.equal(new Set(ids).size, payloads.length)
    const seen = new Map<string, unknown>()
    const worker = queue.work((job) => void seen.set(job.id, job.payload), POLL)
    await until(() => seen.size === payloads.length)
    await worker.close()
    for (const [at, id] of ids.entries()) assert.deepEqual(seen.get(id), payloads[at])
  })

  it('keeps a NUL in a payload, or refuses it', async ({ queue }) => {
    const added = await queue.add(HOSTILE_VALUE).catch((error) => {
      assert.equal(error.code, 'QUEUE_INVALID_PAYLOAD')
    })
    if (added === undefined) return
    const seen: unknown[] = []
    const worker = queue.work((job) => void seen.push(job.payload), POLL)
    await until(() => seen.length === 1)
    await worker.close()
    assert.deepEqual(seen, [HOSTILE_VALUE])
  })

  it('adds in the transaction of the caller: with its commit, and not without', async (subject) => {
    const { queue, other } = subject
    await assert.rejects(
      subject.transaction(async (client) => {
        await queue.add('no', { client })
        await queue.addMany(['no', 'no'], { client })
        throw new Error('roll back')
      }),
    )
    assert.equal((await other.stats()).waiting, 0)
    await subject.transaction(async (client) => {
      await queue.add('yes', { client })
      assert.equal((await other.stats()).waiting, 0)
    })
    assert.equal((await other.stats()).waiting, 1)
  })

  it('refuses a payload that has no JSON form, and adds none of its call', async ({ queue }) => {
    await assert.rejects(queue.addMany([1, 2n]), { code: 'QUEUE_INVALID_PAYLOAD' })
    assert.equal((await queue.stats()).waiting, 0)
  })

  it('starts higher priorities first, and equal ones in order', async ({ queue, priorities }) => {
    const [high, low] = priorities
    await queue.addMany(['a', 'b'], { priority: low })
    await queue.addMany(['c', 'd'], { priority: high })
    const seen: unknown[] = []
    const worker = queue.work((job) => void seen.push(job.payload), { ...POLL, concurrency: 1 })
    await until(() => seen.length === 4)
    await worker.close()
    assert.deepEqual(seen, ['c', 'd', 'a', 'b'])
  })

  it('starts nothing before its delay is over', async ({ queue }) => {
    const before = performance.now()
    await queue.add('later', { delay: 150 })
    assert.equal((await queue.stats()).delayed, 1)
    let started = 0
    const worker = queue.work(() => {
      started = performance.now()
    }, POLL)
    await until(() => started > 0)
    await worker.close()
    assert.ok(started - before >= 149)
  })
}

function declareWorking(it: It): void {
  it('shares jobs out among workers: all run, none twice', async (subject) => {
    const { queue, other } = subject
    const seen: unknown[] = []
    const note = (job: JobUnderTest) => void seen.push(job.payload)
    const workers = [queue, other, queue].map((each) =>
      each.work(note, { ...POLL, concurrency: 7 }),
    )
    const payloads = Array.from({ length: 300 }, (_, n) => n)
    await Promise.all([queue.addMany(payloads.slice(0, 200)), other.addMany(payloads.slice(200))])
    await until(() => empty(subject))
    await Promise.all(workers.map((worker) => worker.close()))
    assert.deepEqual(
      seen.sort((a, b) => Number(a) - Number(b)),
      payloads,
    )
  })

  it('runs no more at a time than it is told', async (subject) => {
    const { queue } = subject
    await queue.addMany(Array.from({ length: 30 }, (_, n) => n))
    let running = 0
    let most = 0
    const worker = queue.work(
      async () => {
        most = Math.max(most, ++running)
        await new Promise(setImmediate)
        running--
      },
      { ...POLL, concurrency: 4 },
    )
    await until(() => empty(subject))
    await worker.close()
    assert.ok(most <= 4 && most > 1)
  })

  it('gives jobs of a worker that closes back, with no attempt counted', async (subject) => {
    const { queue, other } = subject
    await queue.add('x', { attempts: 1 })
    let started = false
    const worker = queue.work(() => {
      started = true
      return new Promise(() => {})
    }, POLL)
    await until(() => started)
    await worker.close({ withinMs: 0 })
    const attempts: number[] = []
    const second = other.work((job) => void attempts.push(job.attempt), POLL)
    await until(() => attempts.length === 1)
    await second.close()
    assert.deepEqual(attempts, [1])
    assert.equal((await queue.stats()).dead, 0)
  })

  it('keeps a job that runs for longer than its lease', async (subject) => {
    const { queue, other } = subject
    await queue.add('slow')
    // Another that comes when two leases are over.
    await queue.add('after', { delay: 2500 })
    const starts: unknown[] = []
    const end: (() => void)[] = []
    const slow = (job: JobUnderTest) => {
      starts.push(job.payload)
      return job.payload === 'after' ? undefined : new Promise<void>((resolve) => end.push(resolve))
    }
    const workers = [queue, other].map((each) => each.work(slow, { ...POLL, lease: 1000 }))
    await until(() => starts.includes('after'))
    for (const resolve of end) resolve()
    await until(() => empty(subject))
    await Promise.all(workers.map((worker) => worker.close()))
    assert.deepEqual(starts, ['slow', 'after'])
  })

  it('hands batches over, and takes an end for each job of them', async (subject) => {
    const { queue } = subject
    await queue.addMany([1, 2, 3, 4], { attempts: 1 })
    let largest = 0
    const worker = queue.workInBatches(
      (jobs) => {
        largest = Math.max(largest, jobs.length)
        return jobs.map((job) => (job.payload === 3 ? new Error('three') : undefined))
      },
      { ...POLL, batchSize: 4 },
    )
    await until(() => empty(subject))
    await worker.close()
    assert.ok(largest > 1 && largest <= 4)
    assert.deepEqual(
      (await queue.deadLetters()).map((letter) => letter.payload),
      [3],
    )
  })
}

function declareEnds(it: It): void {
  it('retries what fails, then makes it a dead letter, which can be redriven and purged', async (subject) => {
    const { queue } = subject
    await queue.add('bad')
    const attempts: number[] = []
    let broken = true
    const worker = queue.work((job) => {
      attempts.push(job.attempt)
      if (broken) throw new Error(`attempt ${job.attempt}`)
    }, POLL)
    await until(async () => (await queue.stats()).dead === 1)
    assert.deepEqual(attempts, [1, 2, 3])
    const [letter] = await queue.deadLetters()
    assert.equal(letter?.payload, 'bad')
    assert.match(letter?.error ?? '', /attempt 3/)
    broken = false
    assert.equal(await queue.redrive([letter?.id ?? '']), 1)
    await until(() => attempts.length === 4)
    assert.equal(attempts[3], 1)
    await until(() => empty(subject))
    broken = true
    await queue.add('worse', { attempts: 1 })
    await until(async () => (await queue.stats()).dead === 1)
    await worker.close()
    assert.equal(await queue.purgeDead(), 1)
    assert.deepEqual(await queue.deadLetters(), [])
  })

  it('counts no attempt for what is to run later, and buries nothing that is discarded', async (subject) => {
    const { queue } = subject
    await queue.addMany(['later', 'never'], { attempts: 1 })
    const runs: string[] = []
    const worker = queue.work((job) => {
      runs.push(`${job.payload} ${job.attempt}`)
      if (job.payload === 'never') throw subject.discard()
      if (runs.filter((run) => run.startsWith('later')).length < 3) throw subject.retryLater(5)
    }, POLL)
    await until(() => empty(subject))
    await worker.close()
    assert.deepEqual(
      runs.filter((run) => run.startsWith('later')),
      Array(3).fill('later 1'),
    )
    assert.equal(runs.filter((run) => run.startsWith('never')).length, 1)
    assert.equal((await queue.stats()).dead, 0)
  })

  it('ends a job with the effects of its transaction, or runs it again', async (subject) => {
    const { queue } = subject
    await queue.add('x')
    const committed: number[] = []
    const worker = queue.work(async (job) => {
      await subject
        .transaction(async (client) => {
          await job.complete({ client })
          if (job.attempt === 1) throw new Error('roll back')
        })
        .then(() => committed.push(job.attempt))
        .catch(() => {})
    }, POLL)
    await until(() => empty(subject))
    await worker.close()
    assert.deepEqual(committed, [2])
  })

  it('cancels what waits, and clears it', async (subject) => {
    const { queue, other } = subject
    const id = await queue.add('x')
    await queue.add('y', { delay: 60_000 })
    assert.equal(await other.cancel(id), 'cancelled')
    assert.equal((await queue.stats()).waiting, 0)
    await queue.add('z')
    assert.equal(await other.clear(), 2)
    assert.ok(await empty(subject))
  })
}
